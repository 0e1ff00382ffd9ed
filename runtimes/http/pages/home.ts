/** The home page: the software that runs here. */
import { html, raw } from "hono/html";
import { style } from "./style.ts";

/** The software that runs here. */
export type Running = Readonly<{ name: string; version: string; provider: string | null; features: readonly string[] }>;

/** Renders the page. */
export async function homePage({ version, provider, features }: Running): Promise<string> {
  const page = html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Attune</title>
        <style>${raw(style)}</style>
      </head>
      <body>
        <div class="home">
          <p class="brand">Attune</p>
          <h1>It runs.</h1>
          <p
            class="lead">Fine-tuning of transformers, and what goes with it: tokens, metrics, classes, embeddings and adapters over HTTP.</p>
          <dl class="facts">
            <dt>Version</dt>
            <dd>${version}</dd>
            <dt>Computes with</dt>
            <dd>${provider ?? "nothing: this server runs no models"}</dd>
            <dt>Keys are for</dt>
            <dd>${features.map((name) =>
              html`
                <code>${name}</code>
              `
            )}</dd>
          </dl>
          <p
            class="links"><a href="/docs">API</a><a href="/openapi.json">OpenAPI 3.1</a><a href="/healthz">Health</a><a href="/metrics">Metrics</a></p>
        </div>
      </body>
    </html>
  `;
  return String(await page).trim();
}
