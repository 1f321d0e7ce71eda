// Makes the captures tests/captures/node-*.jsonl.gz: node's own WebSocket and SPDY, which are not ours, talk through a
// recording proxy. Run: npm install ws@8 spdy-transport@3 && NODE_PATH=node_modules node node_peers.js OUTPUT_DIRECTORY
// Each capture has the fixtures' format; its first line's `said` lists what was sent: [direction, strand or channel, text].
'use strict';
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');
const zlib = require('zlib');
const { WebSocket, WebSocketServer } = require('ws');
const transport = require('spdy-transport');

const HEAD = { host: 'node.test', connection: 'Upgrade' };
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// A proxy to `port` that writes down what passes; calls `done(lines)` when a connection is over.
function recorder(port, done) {
  const lines = [];
  let open = 2;
  return net.createServer((client) => {
    const server = net.connect(port);
    const pass = (d, from, to) => {
      from.on('data', (b) => { lines.push({ t: lines.length / 1000, d, b: b.toString('base64') }); to.write(b); });
      from.on('end', () => { lines.push({ t: lines.length / 1000, d, eof: true }); to.end(); if (--open === 0) done(lines); });
      from.on('error', () => {});
    };
    pass('c2s', client, server);
    pass('s2c', server, client);
  });
}

function listening(server) {
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
}

async function record(name, server, said, drive) {
  const port = await listening(server);
  let proxy;
  const lines = await new Promise((done) => {
    proxy = recorder(port, done);
    listening(proxy).then((through) => drive(through, said));
  });
  const first = { name, command: `node ${process.version}`, alpn: null, start: 0, said };
  const text = [first, ...lines].map((line) => JSON.stringify(line)).join('\n') + '\n';
  fs.writeFileSync(path.join(process.argv[2], `${name}.jsonl.gz`), zlib.gzipSync(text, { level: 9 }));
  proxy.close();
  server.close();
}

const numbered = (channel, text) => Buffer.concat([Buffer.from([channel]), Buffer.from(text)]);
const STATUS = JSON.stringify({ metadata: {}, status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '7' }] } });

async function websocket() {
  const server = http.createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'v5.channel.k8s.io', perMessageDeflate: false });
  const said = [];
  sockets.on('connection', (socket) => {
    socket.send(numbered(1, ''));
    socket.on('message', async (data) => {
      if (data[0] !== 255) return;
      const big = 'x'.repeat(70000);
      socket.send(numbered(1, big)); said.push(['in', 'stdout', big]);
      socket.ping('alive');
      socket.send(numbered(2, 'frag'), { fin: false });
      socket.ping();
      socket.send(Buffer.from('ments'), { fin: true }); said.push(['in', 'stderr', 'fragments']);
      socket.send(numbered(3, STATUS)); said.push(['in', 'error', STATUS]);
      socket.close(1000, 'done');
    });
  });
  await record('node-ws', server, said, (port) => {
    const url = `ws://127.0.0.1:${port}/api/v1/namespaces/n/pods/p/exec?command=sh&stdin=true&stdout=true&stderr=true`;
    const client = new WebSocket(url, ['v5.channel.k8s.io'], { perMessageDeflate: false });
    client.on('open', async () => {
      client.send('\u0000as text ü'); said.push(['out', 'stdin', 'as text ü']);
      client.ping('there?');
      const long = 'y'.repeat(300);
      client.send(numbered(0, long.slice(0, 100)), { fin: false });
      client.ping();
      client.send(Buffer.from(long.slice(100)), { fin: true }); said.push(['out', 'stdin', long]);
      client.send(numbered(4, '{"Width":80,"Height":24}\n')); said.push(['out', 'resize', '{"Width":80,"Height":24}']);
      client.send(Buffer.from([255, 0])); said.push(['out', 'close', '\u0000']);
    });
  });
}

const REQUEST = 'POST /api/v1/namespaces/n/pods/p/portforward HTTP/1.1\r\nHost: node.test\r\nContent-Length: 0\r\nConnection: Upgrade\r\n' +
  'Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n';
const ANSWER = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n';

// Reads up to the blank line, then `then()`.
function afterHead(socket, then) {
  let head = '';
  socket.on('readable', function more() {
    let byte;
    while (!head.endsWith('\r\n\r\n') && (byte = socket.read(1)) !== null) head += byte.toString('latin1');
    if (!head.endsWith('\r\n\r\n')) return;
    socket.removeListener('readable', more);
    then();
  });
}

function speak(socket, isServer) {
  const connection = transport.connection.create(socket, { protocol: 'spdy', isServer, autoSpdy31: false });
  connection.start(3.1);
  return connection;
}

async function spdy() {
  const server = net.createServer((socket) => afterHead(socket, () => {
    socket.write(ANSWER);
    speak(socket, true).on('stream', (stream) => {
      stream.respond(200, { answered: stream.headers.streamtype });
      if (stream.headers.streamtype === 'error') { stream.end(); stream.resume(); return; }
      let got = '';
      stream.on('data', (data) => { got += data; });
      stream.on('end', () => stream.end(`heard ${got.length} from ${stream.headers.port}`));
    });
  }));
  await record('node-spdy', server, [], (port, said) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(REQUEST));
    afterHead(socket, async () => {
      const connection = speak(socket, false);
      for (const [requestid, remote] of [['0', '80'], ['1', '9090']]) {
        const open = (streamtype) => new Promise((done) => connection.request(
          { method: 'POST', host: 'node.test', path: '/', headers: { streamtype, port: remote, requestid } },
          (error, stream) => { if (error) throw error; stream.on('error', () => {}); done(stream); }));
        const error = await open('error');
        error.end(); error.resume();
        const data = await open('data');
        const text = 'z'.repeat(20000 * (1 + Number(requestid)));
        said.push(['out', `port/${remote}/${requestid}`, text]);
        said.push(['in', `port/${remote}/${requestid}`, `heard ${text.length} from ${remote}`]);
        data.end(text);
        data.resume();
        await new Promise((done) => data.on('end', done));
      }
      connection.ping(() => {});
      await wait(50);
      connection.end();
      await wait(100);
      if (!socket.writableEnded) socket.end();
    });
  });
}

websocket().then(spdy).then(() => process.exit(0));
