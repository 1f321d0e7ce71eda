// A TLS client of support/tls_server.py: three requests in several writes, or one HTTP request. PORT CERTIFICATE SIZE|http
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
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
	defer conn.Close()
	if os.Args[3] == "http" {
		must(conn.Write([]byte("POST /secret HTTP/1.1\r\nHost: x\r\n\r\n")))
		answer := make([]byte, 4096)
		fmt.Println(string(answer[:must(conn.Read(answer))]))
		return
	}
	size := must(strconv.Atoi(os.Args[3]))
	for round := 0; round < 3; round++ {
		sent := must(conn.Write([]byte(fmt.Sprintf("%04d ", size))))
		sent += must(conn.Write([]byte(fmt.Sprintf("%04d\n", size))))
		for at := 0; at < size; at += size / 3 {
			sent += must(conn.Write(make([]byte, size/3)))
			runtime.GC()
		}
		fmt.Println(sent, must(io.CopyN(io.Discard, conn, int64(size))))
	}
}
