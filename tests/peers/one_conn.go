// A TLS client of support/tls_server.py: many goroutines write one connection without a lock of their own. PORT CERTIFICATE WRITERS TIMES.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must(os.ReadFile(os.Args[2])))
	conn := must(tls.Dial("tcp", "127.0.0.1:"+os.Args[1], &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}))
	var all sync.WaitGroup
	for writer := 0; writer < must(strconv.Atoi(os.Args[3])); writer++ {
		all.Add(1)
		go func(writer int) {
			defer all.Done()
			for number := 0; number < must(strconv.Atoi(os.Args[4])); number++ {
				must(fmt.Fprintf(conn, "12 0\n%03d %07d\n", writer, number))
			}
		}(writer)
	}
	all.Wait()
	must(fmt.Fprint(conn, "1 1\n."))
	must(io.ReadFull(conn, make([]byte, 1)))
	if err := conn.Close(); err != nil {
		panic(err)
	}
}
