// One process with both ends of a TLS connection, as the client of bench/pairs.py. SIZE PAIRS RATE on stdin, nanoseconds a pair on stdout.
package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func used() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func main() {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	settings := &tls.Config{Certificates: []tls.Certificate{must(tls.LoadX509KeyPair(os.Args[1], os.Args[2]))}}
	client := tls.Client(must(net.Dial("tcp", listener.Addr().String())), &tls.Config{InsecureSkipVerify: true})
	server := tls.Server(must(listener.Accept()), settings)
	shaken := make(chan error)
	go func() { shaken <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		panic(err)
	}
	must(0, <-shaken)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var size, pairs, rate int
		must(fmt.Sscan(lines.Text(), &size, &pairs, &rate))
		data, read := make([]byte, size), make([]byte, size)
		began, before := time.Now(), used()
		for number := 0; number < pairs; number++ {
			if rate > 0 {
				time.Sleep(time.Duration(number)*time.Second/time.Duration(rate) - time.Since(began))
			}
			must(client.Write(data))
			must(io.ReadFull(server, read))
		}
		fmt.Println((used() - before) / int64(pairs))
	}
}
