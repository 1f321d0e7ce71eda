// node's HTTP/2 (nghttp2) and HTTP/1.1 over TLS, that counts what reaches its handlers: as counting_server.go.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const http2 = require('http2');

const [certificate, key] = process.argv.slice(2).map((file) => fs.readFileSync(file));
const handled = [];
const secure = http2.createSecureServer({ cert: certificate, key, allowHTTP1: true, settings: { maxHeaderListSize: 65536 } }, (request, response) => {
  const digest = crypto.createHash('sha256');
  let size = 0;
  request.on('data', (data) => { size += data.length; digest.update(data); });
  request.on('end', () => {
    handled.push([request.method, request.url, size, digest.digest('hex')]);
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ path: request.url, size }));
  });
});
const plain = http.createServer((request, response) => response.end(JSON.stringify(handled)));
const listening = (server) => new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
Promise.all([listening(secure), listening(plain)]).then(([port, counts]) => console.log(JSON.stringify({ port, counts })));
