/**
 * Builds the page with everything it needs into a folder that any web server can serve:
 *
 *     node recipes/browser/build.ts --output dist/browser [--port 8080]
 *
 * With `--port`, it also serves the folder.
 */
import { build } from "esbuild";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join, normalize } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isMain } from "../run_if_main.ts";

const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Writes the page's files. */
export async function buildPage(output: string): Promise<void> {
  mkdirSync(output, { recursive: true });
  await build({
    stdin: {
      contents: 'import { showPage } from "./page.ts"; await showPage();',
      resolveDir: place("."),
      loader: "ts",
    },
    outfile: join(output, "page.js"),
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    conditions: ["browser"],
    // Only servers need queues.
    external: ["@nats-io/*"],
    logLevel: "warning",
  });
  const library = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/wasm"));
  for (const name of ["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.mjs"]) {
    cpSync(join(library, name), join(output, name));
  }
  cpSync(place("../../plugins/models/base"), join(output, "base"), { recursive: true });
  cpSync(place("index.html"), join(output, "index.html"));
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Serves a folder on the local machine only. */
export async function servePage(folder: string, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
    const file = path.endsWith("/") ? `${path}index.html` : path;
    try {
      const bytes = readFileSync(join(folder, file));
      response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}

if (isMain(import.meta)) {
  const { values } = parseArgs({
    options: { output: { type: "string", default: "dist/browser" }, port: { type: "string" } },
  });
  await buildPage(values.output);
  if (values.port !== undefined) {
    await servePage(values.output, Number(values.port));
    process.stderr.write(`http://127.0.0.1:${values.port}/\n`);
  }
}
