import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { edgeRig, testJobs } from "../edge.ts";
import { hostHere } from "../../runtimes/host/train.ts";

const { app } = edgeRig({ jobs: await testJobs(), host: await hostHere(1) });
const page = async (path: string): Promise<{ text: string; headers: Headers }> => {
  const answer = await app.request(`http://here${path}`, { headers: { accept: "text/html,*/*" } });
  assert.equal(answer.status, 200);
  return { text: await answer.text(), headers: answer.headers };
};

describe("pages", () => {
  it("ask nobody else for anything, and may not", async () => {
    for (const path of ["/", "/docs"]) {
      const { text, headers } = await page(path);
      assert.match(headers.get("content-type") ?? "", /^text\/html/);
      assert.match(headers.get("content-security-policy") ?? "", /^default-src 'none'; style-src 'unsafe-inline';/);
      assert.doesNotMatch(text, /<script|<link|<img|<iframe|<object|<embed|@import|url\(|\ssrc=|\son\w+=/i, path);
      const away = [...text.matchAll(/(?:href|action)="([^"]*)"/g)].map((m) => m[1] ?? "");
      assert.ok(away.length > 3 && away.every((to) => /^[/#][^/]*/.test(to) && !to.startsWith("//")), away.join());
      const hosts = [...text.matchAll(/(?:https?:)?\/\/([\w.:-]+)/g)].map((m) => m[1]);
      assert.ok(hosts.every((host) => host === "here"), hosts.join());
    }
  });
  it("tell every route, and what its body holds", async () => {
    const document = await (await app.request("/openapi.json")).json();
    const { text } = await page("/docs");
    const plain = text.replaceAll("<wbr>", "").replace(/<[^>]+>/g, " ").replaceAll("&#39;", "'");
    for (const [path, methods] of Object.entries<Record<string, { summary: string }>>(document.paths)) {
      assert.ok(plain.includes(path), path);
      for (const { summary } of Object.values(methods)) assert.ok(plain.includes(summary), summary);
    }
    for (const name of ["returnOverflowingTokens", "addGenerationPrompt", "skipSpecialTokens", "training_file"]) {
      assert.ok(plain.includes(name), name);
    }
    assert.equal(document.paths["/v1/tokenize"].post.requestBody.content["application/json"].schema.type, "object");
  });
  it("escape what they show", async () => {
    const answer = await app.request("http://here/docs", { headers: { host: 'x"><script>alert(1)</script>' } });
    assert.doesNotMatch(await answer.text(), /<script/);
  });
  it("are JSON for who wants that", async () => {
    const answer = await app.request("/", { headers: { accept: "application/json" } });
    const { name, provider, features } = await answer.json();
    assert.deepEqual([name, provider], ["attune", "cpu"]);
    assert.ok(features.includes("tokenize") && !features.includes("public"));
  });
});
