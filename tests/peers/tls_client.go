// A TLS client of support/tls_server.py: a goroutine for each request, buffers on stacks that move and on the heap.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"sync"
)

// ask sends a request of size bytes and reads an answer of the same size.
func ask(conn *tls.Conn, size int) {
	request := append([]byte(fmt.Sprintf("%d %d\n", size, size)), make([]byte, size)...)
	if _, err := conn.Write(request); err != nil {
		panic(err)
	}
	answered := make(chan int)
	go answer(conn, size, answered)
	got := <-answered
	if _, err := io.CopyN(io.Discard, conn, int64(size-got)); err != nil {
		panic(err)
	}
}

// answer reads first bytes into a buffer on its stack. It runs on a fresh stack of 2 KB, which moves during the Read.
func answer(conn *tls.Conn, size int, answered chan<- int) {
	var small [64]byte
	got, err := conn.Read(small[:min(size, 64)])
	if err != nil {
		panic(err)
	}
	answered <- got
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func main() {
	certificate, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	var all sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		all.Add(1)
		go func(worker int) {
			defer all.Done()
			conn, err := tls.Dial("tcp", "127.0.0.1:"+os.Args[1], &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			for round := 1; round <= 30; round++ {
				ask(conn, round*round*worker+1)
			}
		}(worker)
	}
	all.Wait()
}
