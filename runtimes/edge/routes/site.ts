/**
 * What runs here, whether it is well, and how it is used.
 * @module
 */
import { VERSION } from "../../../core/version.ts";
import type { Route } from "../route.ts";
import type { EdgeService } from "../service.ts";

const open = { method: "get", policy: "public", rate: "light", maxBytes: 0 } as const;

/** The routes. `specs`: the OpenAPI document of all routes. */
export function siteRoutes(service: EdgeService, routes: readonly Route[], specs: () => Promise<object>): Route[] {
  return [
    {
      ...open,
      path: "/",
      summary: "What runs here",
      handle: (c) => c.json({ name: "attune", version: VERSION, routes: routes.map((r) => `${r.method} ${r.path}`) }),
    },
    { ...open, path: "/healthz", summary: "Whether it runs", handle: (c) => c.json({ status: "ok" }) },
    {
      ...open,
      path: "/metrics",
      summary: "Counters and times for Prometheus",
      handle: (c) => c.text(service.meter.text(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
    },
    {
      ...open,
      path: "/openapi.json",
      summary: "This description, as OpenAPI 3.1",
      handle: async (c) => c.json(await specs()),
    },
  ];
}
