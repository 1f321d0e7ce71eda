// Reads request targets as Go's net/url does, which is what kube-apiserver's rules are applied to.
//
// Input: targets, each a 4-byte big-endian length and that many bytes.
// Output: one JSON object a target: {"error": true}, or what RequestURI, Path and Query say, bytes as base64.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/url"
	"os"
)

type pair struct {
	Key    []byte   `json:"key"`
	Values [][]byte `json:"values"`
}

type target struct {
	Error bool   `json:"error"`
	URI   []byte `json:"uri"`
	Path  []byte `json:"path"`
	Query []pair `json:"query"`
}

func read(sent string) target {
	parsed, err := url.ParseRequestURI(sent)
	if err != nil {
		return target{Error: true}
	}
	found := target{URI: []byte(parsed.RequestURI()), Path: []byte(parsed.Path), Query: []pair{}}
	for key, values := range parsed.Query() {
		one := pair{Key: []byte(key)}
		for _, value := range values {
			one.Values = append(one.Values, []byte(value))
		}
		found.Query = append(found.Query, one)
	}
	return found
}

func main() {
	input, output := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	for {
		var size uint32
		if err := binary.Read(input, binary.BigEndian, &size); err != nil {
			return
		}
		sent := make([]byte, size)
		if _, err := io.ReadFull(input, sent); err != nil {
			return
		}
		encoder.Encode(read(string(sent)))
		output.Flush()
	}
}
