/** Secrets in options: the text itself, or the name of an environment variable that holds it. */
import { AttuneError } from "../base/errors.ts";
import type { Host, Secret } from "../types.ts";

/** Returns the text of a secret. Throws AttuneError (`MISSING`) if the environment variable is not set. */
export function revealSecret(plugin: string, secret: Secret, { env }: Pick<Host, "env">): string {
  if (typeof secret === "string") return secret;
  const text = env[secret.env];
  if (text !== undefined && text !== "") return text;
  const message = `The environment variable ${secret.env} is not set`;
  throw new AttuneError(message, { code: "MISSING", plugin, path: secret.env });
}
