package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// text is `size` bytes that no cut or repetition leaves the same.
func text(size int) []byte {
	var made bytes.Buffer
	for number := 0; made.Len() < size; number++ {
		fmt.Fprintf(&made, "line %08d of what is said\n", number)
	}
	return made.Bytes()[:size]
}

func number(asked *http.Request, name string) int {
	value, _ := strconv.Atoi(asked.URL.Query().Get(name))
	return value
}

// handlers answer by the query: say=WHAT, size=BYTES, status=CODE.
func handlers() handler {
	says := map[string]handler{
		"": plain, "interim": interim, "trailers": trailers, "gzip": gzipped, "watch": watch, "head": head, "early": early,
		"abort": abort, "endless": endless, "slow": slow, "exec": exec, "echo": echo,
	}
	return func(answer *seen, asked *http.Request) {
		answer.Header().Set("Audit-Id", "id-of-"+asked.URL.Query().Get("n"))
		answer.Header().Set("Content-Type", "text/plain")
		says[asked.URL.Query().Get("say")](answer, asked)
	}
}

// echo gives the large fields of the request back.
func echo(answer *seen, asked *http.Request) {
	answer.call.Large = http.Header{}
	for name, value := range asked.Header {
		if strings.HasPrefix(name, "X-Large-") {
			answer.call.Large[name], answer.Header()[name] = value, value
		}
	}
	plain(answer, asked)
}

func plain(answer *seen, asked *http.Request) {
	io.Copy(io.Discard, asked.Body)
	if status := number(asked, "status"); status != 0 {
		answer.WriteHeader(status)
	}
	answer.Write(text(number(asked, "size")))
}

func interim(answer *seen, asked *http.Request) {
	for range 2 {
		answer.Header().Set("Link", "</style.css>; rel=preload")
		answer.WriteHeader(http.StatusEarlyHints)
	}
	plain(answer, asked)
}

func trailers(answer *seen, asked *http.Request) {
	answer.Header().Set("Trailer", "X-Sum")
	io.Copy(io.Discard, asked.Body)
	answer.Write(text(number(asked, "size")))
	answer.flush()
	answer.Header().Set("X-Sum", "of the answer")
	answer.Header().Set(http.TrailerPrefix+"X-Late", "not announced")
	answer.call.ResponseTrailer = http.Header{"X-Sum": {"of the answer"}, "X-Late": {"not announced"}}
}

// gzipped answers in two members, with a flush between.
func gzipped(answer *seen, asked *http.Request) {
	answer.Header().Set("Content-Encoding", "gzip")
	for range 2 {
		packed := gzip.NewWriter(answer.ResponseWriter)
		said := text(number(asked, "size") / 2)
		packed.Write(said)
		packed.Close()
		answer.plain(said)
		answer.flush()
	}
}

func watch(answer *seen, asked *http.Request) {
	answer.Header().Set("Content-Type", "application/json")
	for number := range number(asked, "size") {
		fmt.Fprintf(answer, `{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p-%d"}}}`+"\n", number)
		answer.flush()
	}
}

func head(answer *seen, asked *http.Request) {
	answer.Header().Set("Content-Length", asked.URL.Query().Get("size"))
	answer.Write(text(number(asked, "size")))
}

// early answers without having read the request's body.
func early(answer *seen, asked *http.Request) {
	answer.WriteHeader(number(asked, "status"))
	answer.Write(text(number(asked, "size")))
}

func abort(answer *seen, asked *http.Request) {
	answer.call.Cut = true
	answer.Write(text(number(asked, "size")))
	answer.flush()
	panic(http.ErrAbortHandler)
}

// endless goes on until the client gives up.
func endless(answer *seen, asked *http.Request) {
	answer.call.Cut = true
	for asked.Context().Err() == nil {
		answer.Write(text(1000))
		answer.flush()
		time.Sleep(time.Millisecond)
	}
}

// slow is not done before the server begins to shut down.
func slow(answer *seen, asked *http.Request) {
	for part := range 10 {
		answer.Write([]byte(strings.Repeat("x", 100+part)))
		answer.flush()
		time.Sleep(20 * time.Millisecond)
	}
}

// exec speaks v5.channel.k8s.io; its first message leaves in one write with the 101.
func exec(answer *seen, asked *http.Request) {
	answer.call.Status = 101
	conn := answer.hijack()
	defer conn.Close()
	said := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"
	conn.Write(append([]byte(said), frame("\x01hello\n")...))
	io.ReadFull(conn, make([]byte, 6+4))
	conn.Write(append(frame("\x02oops\n"), frame("\x03{\"status\":\"Success\"}")...))
	conn.Write([]byte("\x88\x02\x03\xe8"))
	answer.plain([]byte("hello\noops\n"))
}

func frame(message string) []byte {
	return append([]byte{0x82, byte(len(message))}, message...)
}
