// A client with one HTTP/2 connection: it watches pods, and asks for each path that stands in a line of stdin.
//
// Usage: keeps_watching URL CA-FILE TOKEN-FILE
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func ask(client *http.Client, path string) *http.Response {
	token, err := os.ReadFile(os.Args[3])
	must(err)
	request, err := http.NewRequest("GET", os.Args[1]+path, nil)
	must(err)
	request.Header.Set("Authorization", "Bearer "+string(token))
	request.Header.Set("User-Agent", "kubectl/v1.32 (keeps_watching)")
	answer, err := client.Do(request)
	must(err)
	if answer.ProtoMajor != 2 {
		must(fmt.Errorf("not HTTP/2"))
	}
	return answer
}

func main() {
	authority, err := os.ReadFile(os.Args[2])
	must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	began := make(chan bool, 1)
	go func() {
		for {
			answer := ask(client, "/api/v1/namespaces/default/pods?watch=true")
			select {
			case began <- true:
			default:
			}
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
	}()
	<-began // until there is a connection, each request would make one
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		answer := ask(client, lines.Text())
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		fmt.Println(answer.StatusCode)
	}
}
