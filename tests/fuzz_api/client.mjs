// One kept connection to the server: sends a request as it is and reads its answer.
import http from "node:http";
import { gunzipSync } from "node:zlib";

const answerMs = 30_000;
const streamMs = 100; // of an answer that goes on

export class Client {
  constructor(port) {
    this.port = port;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  }

  // {status, headers, body} or {failure}: no request may be without an answer.
  async send(request) {
    const answer = await this.#once(request);
    // The server may close a kept connection while the request is on its way.
    return answer.isReset ? this.#once(request) : answer;
  }

  #once({ method, target, headers, body }) {
    return new Promise((resolve) => {
      const bytes = body === undefined ? undefined : Buffer.from(body);
      const sent = http.request({
        host: "127.0.0.1",
        port: this.port,
        agent: this.agent,
        method,
        path: target,
        headers: bytes ? { ...headers, "Content-Length": bytes.length } : headers,
      });
      const watchdog = setTimeout(() => {
        resolve({ failure: `no answer within ${answerMs / 1000} s` });
        sent.destroy();
      }, answerMs);
      const done = (answer) => {
        clearTimeout(watchdog);
        resolve(answer);
      };
      sent.on("error", (error) =>
        done({ failure: `no answer: ${error.message}`, isReset: sent.reusedSocket }),
      );
      sent.on("response", (response) => {
        const chunks = [];
        const finish = () =>
          done({
            status: response.statusCode,
            headers: response.headers,
            body: text(response, Buffer.concat(chunks)),
          });
        if (response.headers["content-type"]?.startsWith("text/event-stream")) {
          setTimeout(() => (finish(), sent.destroy()), streamMs);
        }
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", finish);
        response.on("error", (error) => done({ failure: `a torn answer: ${error.message}` }));
      });
      sent.end(bytes);
    });
  }

  close() {
    this.agent.destroy();
  }
}

function text(response, bytes) {
  const isPacked = response.headers["content-encoding"] === "gzip";
  return (isPacked ? gunzipSync(bytes) : bytes).toString("utf8");
}

// The request as a line for a shell.
export function curl(port, { method, target, headers, body }) {
  const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const words = ["curl -i --path-as-is -X", method];
  for (const [name, value] of Object.entries(headers))
    words.push("-H", quoted(`${name}: ${value}`));
  if (body !== undefined) words.push("--data-binary", quoted(body.toString()));
  return [...words, quoted(`http://localhost:${port}${target}`)].join(" ");
}
