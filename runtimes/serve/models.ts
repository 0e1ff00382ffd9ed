/** `/v1/models`: the models and adapters that a tenant may use. */
import { deleteResult, isTerminal } from "../../core/jobs/record.ts";
import { httpError } from "../http/responses.ts";
import { fineTunedModel } from "../http/shapes.ts";
import type { EdgeContext, Route } from "../http/route.ts";
import type { EdgeService } from "./service.ts";

type Name = Readonly<{ id: string; created: number }>;

const shape = ({ id, created }: Name) => ({ id, object: "model", created, owned_by: "attune" });

/** Names of models may contain a slash, written as such or as `%2F`. */
const ONE = "/v1/models/:id{.+}";

/** Returns the routes. */
export function modelRoutes(service: EdgeService): readonly Route[] {
  const nameOf = async (c: EdgeContext): Promise<Name> => {
    const id = c.req.param("id") ?? "";
    const name = (await service.names(c.get("caller"))).find((one) => one.id === id);
    if (name) return name;
    throw httpError(404, "model_not_found", `The model ${JSON.stringify(id.slice(0, 200))} does not exist`, "model");
  };
  const remove = async (c: EdgeContext): Promise<Response> => {
    const { id } = await nameOf(c);
    const jobs = service.options.jobs?.jobs;
    for await (const record of jobs?.list() ?? []) {
      if (record.tenant !== c.get("caller").tenant || !isTerminal(record) || fineTunedModel(record) !== id) continue;
      await jobs?.change(record.id, deleteResult);
      return c.json({ id, object: "model", deleted: true });
    }
    throw httpError(
      403,
      "model_not_yours",
      `The model ${id} belongs to the server: only results of jobs can be deleted`,
    );
  };
  const shared = { policy: "models", rate: "light", maxBytes: 0 } as const;
  return [
    {
      ...shared,
      method: "get",
      path: "/v1/models",
      summary: "Models and adapters that requests may name",
      handle: async (c) => c.json({ object: "list", data: (await service.names(c.get("caller"))).map(shape) }),
    },
    {
      ...shared,
      method: "get",
      path: ONE,
      summary: "A model or adapter",
      handle: async (c) => c.json(shape(await nameOf(c))),
    },
    {
      ...shared,
      policy: "jobs",
      method: "delete",
      path: ONE,
      summary: "Delete the results of a job",
      handle: remove,
    },
  ];
}
