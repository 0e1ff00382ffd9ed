/** Repositories of the hub: their revisions and files. */
import type { Host } from "../types.ts";
import { hubError } from "./errors.ts";
import { type HubClient, limitedText } from "./request.ts";

/** Maximum bytes of the response that lists a repository's files. */
const MAX_LIST = 16 * 2 ** 20;

/** The commit of a revision, and its files. */
export type RepositoryListing = Readonly<{ commit: string; files: ReadonlySet<string> }>;

/** Lists the files of a revision. Throws AttuneError if the revision does not exist, or the hub's answer is invalid. */
export async function listFiles(
  client: HubClient,
  kind: "models" | "datasets",
  repo: string,
  revision: string,
): Promise<RepositoryListing> {
  const response = await client.request(
    `/api/${kind}/${repo}/revision/${encodeURIComponent(revision)}`,
    `${repo}@${revision}`,
  );
  const strange = (): Error => hubError("HUB_ANSWER", `The hub gave no commit and files for ${repo}@${revision}`, repo);
  let answer: { sha?: unknown; siblings?: unknown } | null;
  try {
    answer = JSON.parse(await limitedText(client, response, `${repo}@${revision}`, MAX_LIST));
  } catch (error) {
    throw error instanceof SyntaxError ? strange() : error;
  }
  const { sha, siblings } = answer ?? {};
  if (typeof sha !== "string" || !isCommit(sha) || !Array.isArray(siblings)) throw strange();
  return { commit: sha, files: new Set(siblings.map((s) => s?.rfilename).filter((f) => typeof f === "string")) };
}

/** Whether a revision is a commit hash. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Whether the environment forbids requests to the hub. */
export function isOffline({ env }: Host): boolean {
  return [env.HF_HUB_OFFLINE, env.TRANSFORMERS_OFFLINE]
    .some((flag) => /^(1|true|yes|on)$/i.test(flag ?? ""));
}
