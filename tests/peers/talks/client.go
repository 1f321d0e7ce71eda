package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const pods = "/api/v1/namespaces/default/pods/"

// unsized hides a body's length: it is sent in chunks.
type unsized struct{ io.Reader }

func (one *talk) request(method, target string, body io.Reader) *http.Request {
	made, err := http.NewRequest(method, one.server.URL+target, body)
	check(err)
	made.Header.Set("User-Agent", "kubectl/v1.37.1 (linux/amd64) kubernetes/f78e722")
	if body != nil {
		made.Header.Set("Content-Type", "text/plain")
	}
	return made
}

func (one *talk) do(made *http.Request) *http.Response {
	answer, err := one.client.Do(made)
	check(err)
	_, err = io.Copy(io.Discard, answer.Body)
	check(err)
	check(answer.Body.Close())
	return answer
}

func (one *talk) get(target string) { one.do(one.request("GET", target, nil)) }

// keptAlive asks for one of each kind, one after the other.
func keptAlive(one *talk) {
	one.get(pods + "a?n=1&size=100")
	one.get(pods + "a?n=2&size=200000")
	one.get(pods + "a?n=3&say=interim&size=10")
	one.get(pods + "a?n=4&say=gzip&size=300000")
	one.get("/api/v1/pods?n=5&watch=true&say=watch&size=50")
	one.do(one.request("HEAD", pods+"a?n=6&say=head&size=777", nil))
	one.get(pods + "a?n=7&status=304")
	one.get(pods + "a?n=8&status=204")
	one.do(one.request("DELETE", pods+"a?n=9&status=404&size=20", nil))
	one.do(one.request("PUT", pods+"a?n=10&size=5", bytes.NewReader(text(100000))))
	one.do(one.request("PATCH", pods+"a?n=11&size=0", unsized{bytes.NewReader(text(70000))}))
	one.do(one.request("POST", "/api/v1/namespaces/default/pods?n=12", bytes.NewReader(nil)))
	expecting := one.request("POST", "/api/v1/namespaces/default/pods?n=13&size=9", bytes.NewReader(text(50000)))
	expecting.Header.Set("Expect", "100-continue")
	one.do(expecting)
	trailing := one.request("POST", "/api/v1/namespaces/default/pods?n=14&say=trailers&size=4000", unsized{bytes.NewReader(text(300))})
	trailing.Trailer = http.Header{"X-Request-Sum": {"of the request"}}
	one.do(trailing)
	one.get(pods + "a%20b/log?n=15&size=10&%E2%82%AC=%2F")
}

// raw is the connection without Go's client.
func (one *talk) raw() (*recorded, *bufio.Reader) {
	conn, err := one.dial("tcp", one.server.Listener.Addr().String())
	check(err)
	kept := conn.(recorded)
	return &kept, bufio.NewReader(conn)
}

func pipelined(one *talk) {
	conn, reader := one.raw()
	defer conn.Close()
	var said bytes.Buffer
	methods := []string{"GET", "POST", "HEAD", "GET", "PUT", "GET"}
	for number, method := range methods {
		target := fmt.Sprintf("%sa?n=%d&size=%d", pods, number, number*3000)
		made := one.request(method, target, nil)
		if method[0] == 'P' {
			made = one.request(method, target, unsized{bytes.NewReader(text(number * 500))})
		}
		check(made.Write(&said))
	}
	_, err := conn.Write(said.Bytes())
	check(err)
	for _, method := range methods {
		answer, err := http.ReadResponse(reader, &http.Request{Method: method})
		check(err)
		io.Copy(io.Discard, answer.Body)
	}
}

func upgraded(one *talk) {
	conn, reader := one.raw()
	defer conn.Close()
	asked := "GET " + pods + "a/exec?say=exec&command=sh&stdin=true&stdout=true HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	conn.Write([]byte(asked + "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"))
	_, err := http.ReadResponse(reader, nil)
	check(err)
	conn.Write([]byte("\x82\x84\x00\x00\x00\x00\x00ls\n"))
	io.Copy(io.Discard, reader)
}

// refused: the server answers an expectation with 417's like, and the body never leaves.
func refused(one *talk) {
	made := one.request("POST", "/api/v1/namespaces/default/pods?n=1&say=early&status=413&size=30", bytes.NewReader(text(50000)))
	made.Header.Set("Expect", "100-continue")
	one.do(made)
}

// untilClosed: HTTP/1.0, so the answer's end is the connection's.
func untilClosed(one *talk) {
	conn, reader := one.raw()
	defer conn.Close()
	conn.Write([]byte("GET " + pods + "a?n=1&say=slow HTTP/1.0\r\nHost: a\r\n\r\n"))
	io.Copy(io.Discard, reader)
}

func cutOff(one *talk) {
	one.get(pods + "a?n=1&size=10")
	answer, err := one.client.Do(one.request("GET", pods+"a?n=2&say=abort&size=70000", nil))
	check(err)
	io.Copy(io.Discard, answer.Body)
}

// many asks for all at once on one connection.
func many(one *talk) {
	one.get(pods + "first?size=1")
	var all sync.WaitGroup
	for number := range 90 {
		all.Go(func() {
			target := fmt.Sprintf("%sa-%d?n=%d&size=%d", pods, number, number, number*number*20)
			if number%3 == 0 {
				one.get(target)
			} else {
				one.do(one.request("PUT", target, unsized{bytes.NewReader(text(number * 900))}))
			}
		})
	}
	all.Wait()
}

// largeHeads need CONTINUATION both ways.
func largeHeads(one *talk) {
	for number := range 3 {
		made := one.request("GET", fmt.Sprintf("%sa?n=%d&say=echo&size=10", pods, number), nil)
		for field := range 10 {
			made.Header.Set(fmt.Sprintf("X-Large-%d", field), strings.Repeat(fmt.Sprint(number, "-", field, " "), 6000))
		}
		one.do(made)
	}
}

// givenUp: the client cancels a stream, the server resets one and answers one early; others go on.
func givenUp(one *talk) {
	one.get(pods + "a?n=1&size=10")
	ctx, cancel := context.WithCancel(context.Background())
	answer, err := one.client.Do(one.request("GET", pods+"a?n=2&say=endless", nil).WithContext(ctx))
	check(err)
	io.ReadFull(answer.Body, make([]byte, 5000))
	cancel()
	one.get(pods + "a?n=3&size=10000")
	answer, err = one.client.Do(one.request("GET", pods+"a?n=4&say=abort&size=30000", nil))
	check(err)
	io.Copy(io.Discard, answer.Body)
	one.do(one.request("POST", pods+"a?n=5&say=early&status=403&size=100", unsized{bytes.NewReader(text(3000000))}))
	one.get(pods + "a?n=6&size=10")
}

// shutDown: the server says GOAWAY while it still answers.
func shutDown(one *talk) {
	one.get(pods + "a?n=1&size=10")
	answer, err := one.client.Do(one.request("GET", pods+"a?n=2&say=slow", nil))
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	go one.server.Config.Shutdown(ctx)
	io.Copy(io.Discard, answer.Body)
}
