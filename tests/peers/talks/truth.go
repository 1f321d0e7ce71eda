package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

// call is what a handler read and wrote. Cut: it did not end as HTTP wants, so less may have been seen of it.
type call struct {
	Method          string      `json:"method"`
	URI             string      `json:"uri"`
	RequestSize     int         `json:"requestSize"`
	RequestSHA256   string      `json:"requestSHA256"`
	RequestTrailer  http.Header `json:"requestTrailer"`
	Unread          bool        `json:"unread"`
	Status          int         `json:"status"`
	Interim         []int       `json:"interim"`
	ResponseSize    int         `json:"responseSize"`
	ResponseSHA256  string      `json:"responseSHA256"`
	ResponseTrailer http.Header `json:"responseTrailer"`
	Cut             bool        `json:"cut"`
	Large           http.Header `json:"large"`
}

type truth struct {
	sync.Mutex
	running sync.WaitGroup // a server that closes does not wait for hijacked connections
	Calls   []*call        `json:"calls"`
}

// seen passes a handler's answer on and counts it. `plain`: the bytes before a content coding.
type seen struct {
	http.ResponseWriter
	call *call
	sum  hash.Hash
}

func (answer *seen) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != 101 {
		answer.call.Interim = append(answer.call.Interim, status)
	} else {
		answer.call.Status = status
	}
	answer.ResponseWriter.WriteHeader(status)
}

func (answer *seen) Write(data []byte) (int, error) {
	n, err := answer.ResponseWriter.Write(data)
	answer.plain(data[:n])
	return n, err
}

func (answer *seen) plain(data []byte) {
	if answer.call.Method != "HEAD" {
		answer.sum.Write(data)
		answer.call.ResponseSize += len(data)
	}
}

func (answer *seen) flush() { answer.ResponseWriter.(http.Flusher).Flush() }

func (answer *seen) hijack() net.Conn {
	conn, _, err := answer.ResponseWriter.(http.Hijacker).Hijack()
	check(err)
	return conn
}

type counted struct {
	io.ReadCloser
	call *call
	sum  hash.Hash
	over bool
}

func (body *counted) Read(data []byte) (int, error) {
	n, err := body.ReadCloser.Read(data)
	body.sum.Write(data[:n])
	body.call.RequestSize += n
	body.over = body.over || err == io.EOF
	return n, err
}

type handler func(answer *seen, asked *http.Request)

func (kept *truth) watching(handle handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, asked *http.Request) {
		one := &call{Method: asked.Method, URI: asked.RequestURI, Status: 200, Interim: []int{}}
		kept.running.Add(1)
		kept.Lock()
		kept.Calls = append(kept.Calls, one)
		kept.Unlock()
		body := &counted{asked.Body, one, sha256.New(), asked.Body == http.NoBody}
		asked.Body = body
		answer := &seen{writer, one, sha256.New()}
		defer func() {
			one.RequestSHA256, one.ResponseSHA256 = hex.EncodeToString(body.sum.Sum(nil)), hex.EncodeToString(answer.sum.Sum(nil))
			one.RequestTrailer, one.Unread = asked.Trailer, !body.over
			kept.running.Done()
		}()
		handle(answer, asked)
	})
}

func (kept *truth) save(path string) {
	kept.running.Wait()
	kept.Lock()
	defer kept.Unlock()
	text, err := json.MarshalIndent(kept, "", " ")
	check(err)
	check(os.WriteFile(path, text, 0o644))
}
