// Reads requests as Go's net/http does, which is what kube-apiserver does.
//
// Input: cases, each a 4-byte big-endian length and that many bytes of one connection's client side.
// Output: one JSON array a case: the requests that Go read before its first error, then {"error": …} if there was one.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
)

type request struct {
	Method string `json:"method,omitempty"`
	URI    string `json:"uri,omitempty"`
	Path   string `json:"path,omitempty"`
	Host   string `json:"host,omitempty"`
	Size   int    `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	Error  string `json:"error,omitempty"`
}

func read(stream []byte) []request {
	found := []request{}
	reader := bufio.NewReader(bytes.NewReader(stream))
	for {
		one, err := http.ReadRequest(reader)
		if err == io.EOF {
			return found
		}
		if err != nil {
			return append(found, request{Error: err.Error()})
		}
		body, err := io.ReadAll(one.Body)
		if err != nil {
			return append(found, request{Error: "body: " + err.Error()})
		}
		sum := sha256.Sum256(body)
		found = append(found, request{one.Method, one.RequestURI, one.URL.Path, one.Host, len(body), hex.EncodeToString(sum[:]), ""})
	}
}

func main() {
	input, output := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	defer output.Flush()
	encoder := json.NewEncoder(output)
	for {
		var size uint32
		if err := binary.Read(input, binary.BigEndian, &size); err != nil {
			return
		}
		stream := make([]byte, size)
		if _, err := io.ReadFull(input, stream); err != nil {
			return
		}
		encoder.Encode(read(stream))
	}
}
