// Go's net/http over TLS, HTTP/2 and HTTP/1.1, that counts what reaches its handlers. Usage: counting_server CERT KEY
// Says its two ports: {"port": TLS, "counts": plain}. GET / on the plain one tells what was handled: [[method, path, size, sha256], …].
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

var (
	lock    sync.Mutex
	handled [][]any
)

func handle(w http.ResponseWriter, r *http.Request) {
	digest := sha256.New()
	size, _ := io.Copy(digest, r.Body)
	lock.Lock()
	handled = append(handled, []any{r.Method, r.URL.Path, size, hex.EncodeToString(digest.Sum(nil))})
	lock.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"path": %q, "size": %d}`, r.URL.Path, size)
}

func counts(w http.ResponseWriter, r *http.Request) {
	lock.Lock()
	defer lock.Unlock()
	json.NewEncoder(w).Encode(handled)
}

func main() {
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(plain, http.HandlerFunc(counts))
	fmt.Printf("{\"port\": %d, \"counts\": %d}\n", secure.Addr().(*net.TCPAddr).Port, plain.Addr().(*net.TCPAddr).Port)
	panic(http.ServeTLS(secure, http.HandlerFunc(handle), os.Args[1], os.Args[2]))
}
