// Conversations between Go's own net/http client and server, HTTP/1.1 and HTTP/2 without TLS, over loopback.
//
// Usage: talks DIRECTORY
//
// Each conversation is one connection: NAME.jsonl.gz, a recording as a proxy would take it, and NAME.truth.json, what the
// server's handlers read and wrote. Bytes are recorded at the client, where the node's agent sees them.
package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"time"
)

type line struct {
	Time      float64 `json:"t"`
	Direction string  `json:"d"`
	Bytes     []byte  `json:"b"`
}

// recorder keeps what one connection carried.
type recorder struct {
	sync.Mutex
	start time.Time
	lines []line
}

func (kept *recorder) add(direction string, data []byte) {
	kept.Lock()
	defer kept.Unlock()
	copied := append([]byte(nil), data...)
	kept.lines = append(kept.lines, line{time.Since(kept.start).Seconds(), direction, copied})
}

func (kept *recorder) save(path string) {
	kept.Lock()
	defer kept.Unlock()
	file, err := os.Create(path)
	check(err)
	packed := gzip.NewWriter(file)
	encoder := json.NewEncoder(packed)
	check(encoder.Encode(map[string]any{"name": filepath.Base(path), "command": "go", "alpn": nil, "start": 0}))
	for _, each := range kept.lines {
		check(encoder.Encode(each))
	}
	check(packed.Close())
	check(file.Close())
}

// recorded is the client's end: a write is noted before it leaves, so that no answer precedes it.
type recorded struct {
	net.Conn
	kept *recorder
}

func (conn recorded) Read(data []byte) (int, error) {
	n, err := conn.Conn.Read(data)
	if n > 0 {
		conn.kept.add("s2c", data[:n])
	}
	return n, err
}

func (conn recorded) Write(data []byte) (int, error) {
	conn.kept.add("c2s", data)
	return conn.Conn.Write(data)
}

// talk is one conversation: a server, the one connection to it, and what happened.
type talk struct {
	server *httptest.Server
	client *http.Client
	kept   *recorder
	truth  truth
	dialed int
}

func newTalk(http2 bool) *talk {
	one := &talk{kept: &recorder{start: time.Now()}}
	one.server = httptest.NewUnstartedServer(one.truth.watching(handlers()))
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	one.server.Config.Protocols = protocols
	// Else the server allows 1 MiB, and whether its SETTINGS came before the request decides if the head is cut.
	one.server.Config.HTTP2 = &http.HTTP2Config{MaxReadFrameSize: 16384}
	one.server.Start()
	transport := &http.Transport{Protocols: protocols, Dial: one.dial, DisableCompression: true, ExpectContinueTimeout: 5 * time.Second}
	one.client = &http.Client{Transport: transport}
	return one
}

func (one *talk) dial(network, address string) (net.Conn, error) {
	one.dialed++
	if one.dialed > 1 {
		panic("a conversation is one connection")
	}
	conn, err := net.Dial(network, address)
	return recorded{conn, one.kept}, err
}

func (one *talk) end(directory, name string) {
	one.client.CloseIdleConnections()
	one.server.Close()
	one.kept.save(filepath.Join(directory, name+".jsonl.gz"))
	one.truth.save(filepath.Join(directory, name+".truth.json"))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	for name, play := range map[string]func(*talk){
		"h1-kept-alive": keptAlive, "h1-pipelined": pipelined, "h1-upgraded": upgraded, "h1-refused": refused,
		"h1-until-closed": untilClosed, "h1-cut-off": cutOff,
		"h2-many": many, "h2-kinds": keptAlive, "h2-large-heads": largeHeads, "h2-given-up": givenUp, "h2-shut-down": shutDown,
	} {
		one := newTalk(name[:2] == "h2")
		play(one)
		one.end(os.Args[1], name)
		fmt.Println(name, len(one.truth.Calls))
	}
}
