/** The OpenAPI document as an HTML page, rendered on the server so that it needs no scripts or requests. */
import { html, raw } from "hono/html";
import type { Json, Named } from "../../../core/types.ts";
import { style } from "./style.ts";

type Html = ReturnType<typeof html>;
type Schema = Named<Json>;
type Body = Readonly<{ content?: Named<Readonly<{ schema?: Schema; example?: Json }>> }>;
type Operation = Readonly<{
  summary?: string;
  description?: string;
  tags?: readonly string[];
  security?: readonly Json[];
  parameters?: readonly Readonly<{ name: string; in: string; description?: string }>[];
  requestBody?: Body;
  responses?: Named<Body & Readonly<{ description?: string }>>;
}>;

/** The part of an OpenAPI document that is used. */
export type Document = Readonly<{
  info: Readonly<{ title: string; version: string; description?: string }>;
  paths: Named<Named<Operation>>;
}>;

type Route = Readonly<{ id: string; method: string; path: string; operation: Operation }>;

/** Renders the page. `origin`: the server in the examples' addresses. */
export async function docsPage({ info, paths }: Document, origin: string): Promise<string> {
  const groups = new Map<string, Route[]>();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const id = `${method}${path.replace(/[^\w]+/g, "-")}`.replace(/-$/, "");
      const [tag = "other"] = operation.tags ?? [];
      groups.set(tag, [...groups.get(tag) ?? [], { id, method, path, operation }]);
    }
  }
  const page = html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${info.title} API</title>
        <style>${raw(style)}</style>
      </head>
      <body>
        <div class="page">
          <nav aria-label="Routes">
    <a class="brand" href="/">${info.title}</a>
    ${[...groups].map(([tag, routes]) =>
      html`
        <h2>${tag}</h2>
        <ul>${routes.map(({ id, method, path }) =>
          html`<li><a href="#${id}"><span class="method ${method}">${method}</span><span class="path">${
            breakable(path)
          }</span></a></li>`
        )}</ul>
      `
    )}
          </nav>
          <main>
    <h1>${info.title} API</h1>
    <p class="lead">${info.description ?? ""}. Version ${info.version}. Keys are sent as
    <code>Authorization: Bearer …</code>. Errors have OpenAI's shape,
    <code>{"error": {"message", "type", "code", "param"}}</code>. The same as JSON:
    <a href="/openapi.json">/openapi.json</a>.</p>
    ${[...groups].map(([tag, routes]) =>
      html`<section><h2>${tag}</h2>${routes.map((route) => routeOf(route, origin))}</section>`
    )}
          </main>
        </div>
      </body>
    </html>
  `;
  return String(await page).trim();
}

function routeOf({ id, method, path, operation }: Route, origin: string): Html {
  const { summary = "", description, security = [], parameters = [], requestBody, responses = {} } = operation;
  return html`
    <details id="${id}" ${requestBody ? "open" : ""}>
      <summary><span class="method ${method}">${method}</span><span class="path">${breakable(
        path,
      )}</span><span class="soft">${summary}</span></summary>
      <div class="inside">
    ${description ? html`<p>${description}</p>` : ""}
    <p class="soft">${security.length > 0
      ? html`Needs a key for <code>${operation.tags?.[0]}</code>.`
      : "Open to everybody."}</p>
    ${parameters.length > 0 ? html`<h3>Parameters</h3>${table(parameters.map(parameterOf))}` : ""}
    ${Object.entries(requestBody?.content ?? {}).map(([type, { schema, example }]) =>
      html`<h3>Body <span class="soft">${type}</span></h3>${schema ? schemaOf(schema) : ""}${
        example === undefined ? "" : exampleOf(origin, method, path, type, example)
      }`
    )}
    <h3>Answers</h3>
    ${table(
      Object.entries(responses).map(([status, answer]) => [
        html`<code>${status}</code>`,
        html`${answer.description ?? ""}${
          Object.values(answer.content ?? {}).map(({ schema }) =>
            status.startsWith("2") && schema ? schemaOf(schema) : ""
          )
        }`,
      ]),
    )}
      </div>
    </details>
  `;
}

/** Renders a path with line breaks allowed between its parts. */
function breakable(path: string): Html {
  const parts = path.split("/");
  return html`${parts.map((part, i) => html`${part}${i + 1 < parts.length ? "/" : ""}${i > 0 ? html`<wbr>` : ""}`)}`;
}

function parameterOf(
  { name, in: place, description = "" }: NonNullable<Operation["parameters"]>[number],
): [Html, Html] {
  return [html`<code>${name}</code>`, html`<span class="soft">${place}</span> ${description}`];
}

function table(rows: readonly (readonly [Html, Html])[]): Html {
  return html`<table>${
    rows.map(([name, value]) =>
      html`
        <tr>
          <td>${name}</td>
          <td>${value}</td>
        </tr>
      `
    )
  }</table>`;
}

/** Renders a schema: a table of an object's properties, one line for anything else. */
function schemaOf(schema: Schema): Html {
  const { properties, required = [], anyOf, items } = schema as Readonly<{
    properties?: Named<Schema>;
    required?: readonly string[];
    anyOf?: readonly Schema[];
    items?: Schema;
  }>;
  if (properties) {
    return table(
      Object.entries(properties).map(([name, property]): [Html, Html] => [
        html`<code>${name}</code>${
          required.includes(name)
            ? html`
              <span class="soft">required</span>
            `
            : ""
        }`,
        html`<span class="soft">${typeOf(property)}${limitsOf(property)}</span>${
          holds(property) ? schemaOf(property) : ""
        }`,
      ]),
    );
  }
  if (anyOf) {
    return html`${
      [...new Map(anyOf.filter(holds).map((schema) => [innermost(schema), schema])).values()].map(schemaOf)
    }`;
  }
  return items && holds(items) ? schemaOf(items) : html`<span class="soft">${typeOf(schema)}</span>`;
}

/** Returns the items' schema of nested lists, so that a list and a list of lists are described once. */
function innermost({ items, ...schema }: Schema): string {
  return items === undefined ? JSON.stringify(schema) : innermost(items as Schema);
}

/** Whether a schema has more to show than a type. */
function holds(schema: Schema): boolean {
  if (schema.properties) return Object.keys(schema.properties).length > 0;
  if (Array.isArray(schema.anyOf)) return (schema.anyOf as readonly Schema[]).some(holds);
  return schema.items !== undefined && holds(schema.items as Schema);
}

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  for (const several of [schema.anyOf, schema.oneOf]) {
    if (Array.isArray(several)) return [...new Set((several as readonly Schema[]).map(typeOf))].join(" | ");
  }
  if (schema.type === "array") {
    const inner = typeOf((schema.items ?? {}) as Schema);
    return inner.includes(" ") ? `(${inner})[]` : `${inner}[]`;
  }
  return typeof schema.type === "string" ? schema.type : "anything";
}

function limitsOf(schema: Schema): string {
  const codes: string[] = [];
  if (schema.default !== undefined && !holds(schema)) codes.push(`default ${JSON.stringify(schema.default)}`);
  const [least, most] = [schema.minimum ?? schema.exclusiveMinimum, schema.maximum ?? schema.exclusiveMaximum];
  if (least !== undefined && most !== undefined) codes.push(`${least} to ${most}`);
  else if (least !== undefined) codes.push(`from ${least}`);
  return codes.map((text) => `, ${text}`).join("");
}

function exampleOf(origin: string, method: string, path: string, type: string, example: Json): Html {
  const lines = type === "application/json" ? JSON.stringify(example) : String(example);
  const command = [
    `curl ${origin}${path}${method === "post" ? "" : ` -X ${method.toUpperCase()}`} \\`,
    `  -H "Authorization: Bearer $ATTUNE_API_KEY" -H "Content-Type: ${type}" \\`,
    `  -d '${lines.replaceAll("'", "'\\''")}'`,
  ].join("\n");
  return html`<pre><code>${command}</code></pre>`;
}
