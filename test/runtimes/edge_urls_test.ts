import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { allowedUrl, guardedFetch, isPrivateAddress } from "../../runtimes/http/guarded_fetch.ts";

const allow = ["models.example.org", "models.example.org:8443"];
const refusedUrl = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "URL_REFUSED";

/** Ways in which an address or another host has been written past such checks. */
const spellings: readonly string[] = [
  "http://models.example.org/a",
  "ftp://models.example.org/a",
  "file:///etc/passwd",
  "data:text/plain,a",
  "gopher://models.example.org/a",
  "HTTPS://models.example.org/a",
  "//models.example.org/a",
  "https:models.example.org/a",
  "https:/models.example.org/a",
  "https:///models.example.org/a",
  "https:\\\\models.example.org\\a",
  "https://127.0.0.1/a",
  "https://127.1/a",
  "https://2130706433/a",
  "https://0x7f000001/a",
  "https://0x7f.0.0.1/a",
  "https://017700000001/a",
  "https://0177.0.0.1/a",
  "https://127.0.0.1./a",
  "https://0/a",
  "https://0.0.0.0/a",
  "https://[::]/a",
  "https://[::1]/a",
  "https://[0:0:0:0:0:0:0:1]/a",
  "https://[::ffff:127.0.0.1]/a",
  "https://[::ffff:7f00:1]/a",
  "https://[64:ff9b::7f00:1]/a",
  "https://[fe80::1%25eth0]/a",
  "https://[fd00:ec2::254]/a",
  "https://169.254.169.254/latest/meta-data",
  "https://0xa9fea9fe/a",
  "https://2852039166/a",
  "https://169.254.43518/a",
  "https://metadata.google.internal/a",
  "https://localhost/a",
  "https://localhost./a",
  "https://models.example.org./a",
  "https://models.example.org@127.0.0.1/a",
  "https://user:password@models.example.org/a",
  "https://@models.example.org/a",
  "https://127.0.0.1#@models.example.org/a",
  "https://127.0.0.1\\@models.example.org/a",
  "https://models.example.org\\.attacker.net/a",
  "https://models.example.org.attacker.net/a",
  "https://attacker.net/models.example.org",
  "https://attacker.net?models.example.org",
  "https://xmodels.example.org/a",
  "https://sub.models.example.org/a",
  "https://models.example.org:80/a",
  "https://models.example.org:443443/a",
  "https://models.example.org:0443/a",
  "https://models.example.org:/a",
  "https://Models.Example.org/%0d%0aHost:x\u0000",
  "https://mod\u0435ls.example.org/a",
  "https://models\u3002example.org/a",
  "https://\u24dc\u24de\u24d3\u24d4\u24db\u24e2.example.org/a",
  "https://models.example.org%2f@127.0.0.1/a",
  "https://models%2eexample.org/a",
  "https://xn--modls-7of.example.org/a",
  "https://models.example.org\t/a",
  " https://models.example.org/a",
  "https://models.example.org/a\r\nHost: x",
  "https://mo\ndels.example.org/a",
  "https://models.example.org/a#b",
  "https://127.0.0.1.nip.io/a",
  `https://models.example.org/${"a".repeat(3000)}`,
];

type Answer = Readonly<{ status?: number; headers?: Record<string, string>; body?: BodyInit }>;

function asked(answers: Readonly<Record<string, Answer>>, options: object = {}) {
  const urls: string[] = [];
  const fetch = (async (url: string, init: RequestInit) => {
    urls.push(url);
    assert.equal(init.redirect, "manual");
    assert.deepEqual(Object.keys(init.headers ?? {}).sort(), ["accept-encoding", "range"]);
    const { status = 206, headers = { "content-range": "bytes 0-2/3", etag: "x" }, body = null } = answers[url] ?? {};
    return new Response(body, { status, headers });
  }) as typeof globalThis.fetch;
  return { urls, get: guardedFetch({ allow, fetch, ...options }) };
}

const range = { offset: 0, length: 3 };
const there = "https://models.example.org/a";

describe("URLs in requests", () => {
  it(`are refused in ${spellings.length} spellings, without a request`, async () => {
    assert.ok(spellings.length >= 40);
    const { urls, get } = asked({});
    for (const url of spellings) await assert.rejects(get(url, range), refusedUrl, url);
    assert.deepEqual(urls, []);
    assert.throws(() => allowedUrl(there, []), refusedUrl);
  });

  it("are fetched from hosts that are allowed", async () => {
    const { get } = asked({ [there]: { body: "abc" }, "https://models.example.org:8443/b?x=1": { body: "abc" } });
    const response = await get(there, range);
    assert.deepEqual([new TextDecoder().decode(response?.bytes), response?.size, response?.tag], ["abc", 3, "x"]);
    assert.equal((await get("https://models.example.org:8443/b?x=1", range))?.size, 3);
  });

  it("lead on only to what is allowed, each of them", async () => {
    for (const location of [...spellings, "https://models.example.org:444/a", "\\\\127.0.0.1/a"]) {
      // Headers hold no such characters; relative ones stay with the host.
      if (!/^[\x21-\x7e]+$/.test(location) || /^(https?:\/{0,1}m|https:\/\/\/)/i.test(location)) continue;
      const { urls, get } = asked({ [there]: { status: 302, headers: { location } } });
      await assert.rejects(get(there, range), refusedUrl, location);
      assert.equal(urls.length, 1, location);
    }
    const { urls, get } = asked({
      [there]: { status: 307, headers: { location: "/b" } },
      "https://models.example.org/b": { status: 301, headers: { location: "https://127.0.0.1/c" } },
    });
    await assert.rejects(get(there, range), refusedUrl);
    assert.deepEqual(urls, [there, "https://models.example.org/b"]);
    const loop = asked({ [there]: { status: 302, headers: { location: there } } });
    await assert.rejects(loop.get(there, range), refusedUrl);
    assert.ok(loop.urls.length <= 5);
  });

  it("are refused where their name leads to a private address", async () => {
    for (
      const address of ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1"]
    ) {
      assert.ok(isPrivateAddress(address), address);
      const { urls, get } = asked({}, { resolve: async () => ["93.184.216.34", address] });
      await assert.rejects(get(there, range), refusedUrl, address);
      assert.deepEqual(urls, []);
    }
    for (const address of ["93.184.216.34", "2606:2800:220:1::1"]) assert.ok(!isPrivateAddress(address), address);
  });

  it("give no more than was asked for, in time, and parts alone", async () => {
    const failed = (error: unknown): boolean =>
      error instanceof Error && "code" in error && error.code === "URL_FAILED";
    let sent = 0;
    const endless = new ReadableStream({ pull: (c) => (sent++, c.enqueue(new Uint8Array(65_536))) });
    await assert.rejects(asked({ [there]: { body: endless } }).get(there, range), failed);
    assert.ok(sent < 10, `${sent} pieces were read`);
    await assert.rejects(asked({ [there]: { status: 200, body: "abc" } }).get(there, range), failed);
    await assert.rejects(asked({ [there]: { status: 500 } }).get(there, range), failed);
    const silent = new ReadableStream({ pull: () => new Promise(() => {}) });
    await assert.rejects(asked({ [there]: { body: silent } }, { milliseconds: 30 }).get(there, range), failed);
    assert.equal(await asked({ [there]: { status: 404 } }).get(there, range), undefined);
  });
});
