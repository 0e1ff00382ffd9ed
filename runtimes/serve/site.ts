/** Pages and routes about the server: its software, its health, its documentation. */
import { VERSION } from "../../core/base/version.ts";
import { docsPage, type Document } from "../http/pages/docs.ts";
import { homePage } from "../http/pages/home.ts";
import { policy } from "../http/pages/style.ts";
import type { EdgeContext, Route } from "../http/route.ts";
import type { EdgeService } from "./service.ts";

const open = { method: "get", policy: "public", rate: "light", maxBytes: 0 } as const;

/** Number of keys of damaged values that are listed. */
const MOST_DAMAGED = 20;

/** Returns the routes about the server. `routes`: the other ones; `specs`: the OpenAPI document of all. */
export function siteRoutes(
  { meter, options: { host, jobs, specSchema } }: EdgeService,
  routes: readonly Route[],
  specs: () => Promise<object>,
): readonly Route[] {
  const features = [...new Set(routes.map((route) => route.policy))].filter((name) => name !== "public");
  const running = { name: "attune", version: VERSION, provider: host?.provider ?? null, features };
  const page = (c: EdgeContext, text: string): Response => c.html(text, 200, { "content-security-policy": policy });
  return [
    {
      ...open,
      path: "/",
      summary: "What this server runs, as a page or as JSON",
      handle: async (c) =>
        c.req.header("accept")?.includes("text/html") ? page(c, await homePage(running)) : c.json(running),
    },
    {
      ...open,
      path: "/docs",
      summary: "These routes as a page",
      handle: async (c) => page(c, await docsPage(await specs() as Document, new URL(c.req.url).origin)),
    },
    {
      ...open,
      path: "/healthz",
      summary: "Whether the server runs, and which objects of its store are damaged",
      handle: (c) => {
        const damaged = jobs?.damaged() ?? [];
        const told = { count: damaged.length, keys: damaged.slice(0, MOST_DAMAGED) };
        return c.json({ status: "ok", ...(damaged.length > 0 ? { damaged: told } : {}) });
      },
    },
    {
      ...open,
      path: "/metrics",
      summary: "Counters and times for Prometheus",
      handle: (c) => c.text(meter.text(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
    },
    ...specSchema === undefined ? [] : [{
      ...open,
      path: "/spec.schema.json",
      summary: "The JSON Schema of run specs",
      handle: (c: EdgeContext) => c.body(specSchema, 200, { "content-type": "application/schema+json" }),
    }],
    {
      ...open,
      path: "/openapi.json",
      summary: "These routes as OpenAPI 3.1",
      handle: async (c) => c.json(await specs()),
    },
  ];
}
