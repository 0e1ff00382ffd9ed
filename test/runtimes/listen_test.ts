import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { thisRuntime } from "../../runtimes/host/host.ts";
import { listen } from "../../runtimes/host/listen.ts";

const body = new Uint8Array(2 ** 19).fill(0x20);
const head = `POST / HTTP/1.1\r\nHost: here\r\nContent-Length: ${body.length}\r\n\r\n`;

describe("a line", () => {
  it("whose bodies are refused unread goes on, however many come", async () => {
    const { port, close } = await listen(() => new Response("no", { status: 401 }), { port: 0, hostname: "127.0.0.1" });
    const line = connect(port, "127.0.0.1");
    let [answers, tell] = [0, (): void => {}];
    const failed = new Promise<never>((_, reject) => line.once("close", () => reject(new Error("the line was cut"))));
    line.on("data", (part: Uint8Array) => {
      answers += new TextDecoder().decode(part).split("HTTP/1.1 401").length - 1;
      tell();
    });
    try {
      for (let n = 1; n <= 6; n++) {
        // The answer comes while half of the body is on its way.
        line.write(head);
        line.write(body.subarray(0, body.length / 2));
        await Promise.race([failed, new Promise<void>((done) => (tell = () => void (answers >= n && done())))]);
        line.write(body.subarray(body.length / 2));
      }
      assert.equal(answers, 6);
    } finally {
      failed.catch(() => {});
      line.destroy();
      await close();
    }
  });

  it("whose long body is refused unread is read on, told to close, and its sender sees the whole answer", async () => {
    const text = "no".repeat(5000);
    const { port, close } = await listen(() => new Response(text, { status: 413 }), { port: 0, hostname: "127.0.0.1" });
    const piece = new Uint8Array(2 ** 20).fill(0x20);
    try {
      for (const framing of [`Content-Length: ${8 * piece.length}`, "Transfer-Encoding: chunked"]) {
        const line = connect(port, "127.0.0.1");
        // As simple clients do: everything is written before anything is read.
        line.pause();
        const write = (data: string | Uint8Array): Promise<void> =>
          new Promise((done, fail) => line.write(data, (error) => (error ? fail(error) : done())));
        const isChunked = framing.includes("chunked");
        await write(`POST / HTTP/1.1\r\nHost: here\r\n${framing}\r\n\r\n`);
        for (let i = 0; i < 8; i++) {
          if (isChunked) await write(`${piece.length.toString(16)}\r\n`);
          await write(piece);
          if (isChunked) await write("\r\n");
        }
        if (isChunked) await write("0\r\n\r\n");
        let answer = "";
        await new Promise<void>((done, fail) => {
          line.on("error", fail);
          line.on("end", done);
          line.on("data", (part: Uint8Array) => {
            answer += new TextDecoder().decode(part);
            // Bun reads all of any body, and its lines serve on.
            if (thisRuntime() === "bun" && answer.endsWith(text)) done();
          });
          line.resume();
        });
        line.destroy();
        assert.match(answer, /^HTTP\/1\.1 413 /);
        assert.ok(answer.endsWith(text), "the whole answer");
        if (thisRuntime() !== "bun") assert.match(answer, /^connection: close\r$/im);
      }
      const sent = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: new Uint8Array(2 ** 23) });
      assert.equal(await sent.text(), text);
    } finally {
      await close();
    }
  });

  it("whose headers do not end is cut", { skip: thisRuntime() === "bun" && "Bun has its own limit" }, async () => {
    const options = { port: 0, hostname: "127.0.0.1", headersSeconds: 1 };
    const { port, close } = await listen(() => new Response("yes"), options);
    const line = connect(port, "127.0.0.1");
    const cut = new Promise<void>((done) => line.once("close", () => done()));
    line.on("error", () => {});
    line.write("GET / HTTP/1.1\r\nHost: here\r\nX-Slow: ");
    const timer = setInterval(() => line.writable && line.write("x"), 100);
    try {
      await cut;
    } finally {
      clearInterval(timer);
      line.destroy();
      await close();
    }
  });
});
