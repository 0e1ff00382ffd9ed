/**
 * The Hono app of all endpoints: a fetch handler for workerd, Deno, Bun and Node.
 * @module
 */
import { Hono } from "hono";
import { describeRoute, generateSpecs, resolver } from "hono-openapi";
import * as v from "valibot";
import { VERSION } from "../../core/base/version.ts";
import { answerError, httpError } from "../http/responses.ts";
import { incomingOf } from "../http/body.ts";
import { allowOrigins } from "../http/cors.ts";
import { type Authenticate, authenticator, type Limiter, tokenBuckets } from "../http/auth.ts";
import { runOffloaded } from "../http/offload.ts";
import type { Caller, EdgeContext, EdgeEnv, Route } from "../http/route.ts";
import { evaluateRoutes } from "./evaluate.ts";
import { classifyRoutes } from "./classify.ts";
import { embeddingRoutes } from "./embeddings.ts";
import { mergeRoutes } from "./merge.ts";
import { modelRoutes } from "./models.ts";
import { siteRoutes } from "./site.ts";
import { tokenizeRoutes } from "./tokenize.ts";
import type { EdgeOptions } from "./options.ts";
import { type EdgeService, edgeService } from "./service.ts";

export { type Key, keysOf } from "../http/auth.ts";
export type { ModelFiles, ModelRegistry } from "../http/model_registry.ts";
export type { EdgeLimits, EdgeOptions } from "./options.ts";

/** Returns every route of an app. `specs`: the OpenAPI document of all routes. */
function edgeRoutes(service: EdgeService, specs: () => Promise<object>): readonly Route[] {
  const routes: Route[] = [
    ...tokenizeRoutes(service),
    ...evaluateRoutes(service),
    ...classifyRoutes(service),
    ...embeddingRoutes(service),
    ...mergeRoutes(service),
    ...modelRoutes(service),
    ...service.options.jobs?.routes ?? [],
    ...service.options.routes ?? [],
  ];
  return [...routes, ...siteRoutes(service, routes, specs)];
}

/**
 * Creates the app: `createApp(options).fetch` is a fetch handler.
 *
 * @example
 * ```ts
 * import { catalog } from "attune/catalog";
 * import { createApp } from "attune/edge";
 * const app = createApp({ catalog, keys: [], models: { names: async () => [], open: async () => undefined } });
 * console.assert((await app.request("/healthz")).status === 200);
 * console.assert((await app.request("/v1/models")).status === 401);
 * ```
 */
export function createApp(options: EdgeOptions): Hono<EdgeEnv> {
  const service = edgeService(options);
  const now = options.now ?? (() => performance.now());
  const guard: Guard = {
    authenticate: options.authenticate ?? authenticator(options.keys, options.time ?? (() => Date.now() / 1000)),
    limiter: options.limiter ?? tokenBuckets(now),
    now,
    service,
  };
  const app = new Hono<EdgeEnv>();
  if (options.cors && options.cors.length > 0) app.use("*", allowOrigins(options.cors));
  app.onError((error) => withHeaders(answerError(error)));
  app.notFound(() => withHeaders(httpError(404, "not_found", "There is no such route").getResponse()));
  const specs = once(() =>
    generateSpecs(app, {
      excludeStaticFile: false,
      documentation: {
        info: {
          title: "Attune",
          version: VERSION,
          description: "Fine-tuning, evaluation and adapters of transformers",
        },
        components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
      },
    })
  );
  for (const route of edgeRoutes(service, specs)) {
    app.on(route.method.toUpperCase(), route.path, described(route), (c) => answered(c, route, guard));
  }
  return app;
}

type Guard = Readonly<{ authenticate: Authenticate; limiter: Limiter; now: () => number; service: EdgeService }>;

/** Handles one request: checks the caller, rate and size before the route runs. The body is not read before that. */
async function answered(c: EdgeContext, route: Route, guard: Guard): Promise<Response> {
  const { service, now } = guard;
  const start = now();
  let response: Response;
  try {
    if (route.policy !== "public") c.set("caller", await admitted(c.req.raw, route, guard));
    const seconds = route.seconds ?? service.limits.bodySeconds;
    c.set("incoming", incomingOf(c.req.raw, { maxBytes: route.maxBytes, seconds }));
    response = await runOffloaded(c, route, service.options.workers) ?? await route.handle(c);
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    response = answerError(error);
    if (response.status >= 500) service.options.onError?.(error);
  }
  service.meter.answered(c.req.method, route.path, response.status, (now() - start) / 1000);
  return withHeaders(response);
}

/** Returns the caller if the route is open to it. Throws the error to respond with. */
async function admitted(request: Request, { policy, rate }: Route, guard: Guard): Promise<Caller> {
  const { authenticate, limiter, service: { limits: { rates } } } = guard;
  const take = async (bucket: string, name: keyof typeof rates): Promise<void> => {
    const wait = Math.ceil(await limiter(bucket, rates[name]));
    if (wait === 0) return;
    throw httpError(429, "rate_limit_exceeded", `Too many requests: try again in ${wait} s`, null, {
      "retry-after": String(wait),
    });
  };
  let caller: Caller;
  try {
    caller = await authenticate(request);
  } catch (error) {
    await take("failed", "failed");
    throw error;
  }
  if (policy !== "public" && !caller.scopes.includes(policy)) {
    throw httpError(403, "insufficient_scope", `The key is not for ${policy}`);
  }
  await take(`${rate}:${caller.key}`, rate);
  return caller;
}

function withHeaders(response: Response): Response {
  response.headers.set("x-content-type-options", "nosniff");
  if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store");
  return response;
}

/** Describes a route in OpenAPI's format. */
function described({ summary, description, policy, path, accepts, example, query, answers, maxBytes }: Route) {
  const content = (types: Route["accepts"] = {}, example: unknown = undefined) =>
    Object.fromEntries(
      Object.entries(types).map(([type, schema], i) => [type, {
        schema: resolver(schema, { errorMode: "ignore" }),
        ...(example === undefined || i > 0 ? {} : { example }),
      }]),
    );
  const errors = (...statuses: readonly (keyof typeof facts)[]) =>
    Object.fromEntries(statuses.map((status) => [
      status,
      { description: facts[status], content: content({ "application/json": errorSchema }) },
    ]));
  return describeRoute({
    summary,
    ...(description === undefined ? {} : { description }),
    tags: [policy === "public" ? "server" : policy],
    security: policy === "public" ? [] : [{ key: [] }],
    ...(query
      ? {
        parameters: Object.entries(query).map(([name, description]) => ({
          name,
          in: "query" as const,
          description,
          schema: { type: "string" as const },
        })),
      }
      : {}),
    ...(accepts ? { requestBody: { required: true, content: content(accepts, example) } } : {}),
    responses: {
      200: { description: summary, ...(answers ? { content: content(answers) } : {}) },
      ...(maxBytes !== 0 ? errors(400, 413) : {}),
      ...(policy === "public" ? {} : errors(401, 403, 429)),
      ...(path.includes(":") ? errors(404) : {}),
    },
  });
}

const facts = {
  400: "The request is invalid; param says where",
  401: "Missing or unknown API key",
  403: "The key lacks the scope for this",
  404: "There is nothing with this name for this key",
  413: "The body is too large",
  429: "Too many requests: Retry-After says when to try again",
} as const;

const errorSchema = v.object({
  error: v.object({
    message: v.string(),
    type: v.string(),
    code: v.string(),
    param: v.nullable(v.string()),
  }),
});

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => made ??= make();
}
