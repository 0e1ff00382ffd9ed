/**
 * `/v1/models`: what a tenant may name.
 * @module
 */
import type { Route } from "../route.ts";
import type { EdgeService } from "../service.ts";

/** The routes. */
export function modelRoutes(service: EdgeService): readonly Route[] {
  return [{
    method: "get",
    path: "/v1/models",
    policy: "models",
    rate: "light",
    maxBytes: 0,
    summary: "Models and adapters that requests may name",
    handle: async (c) => {
      const names = await service.names(c.get("caller"));
      return c.json({
        object: "list",
        data: names.map(({ id, created }) => ({ id, object: "model", created, owned_by: "attune" })),
      });
    },
  }];
}
