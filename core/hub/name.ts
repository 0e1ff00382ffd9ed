/** Names of repositories of the hub. */

/** `org/name[@revision]` in its parts, or undefined if a text is no name of the hub; `..` and `--` are in none. */
export function hubName(path: string): Readonly<{ repo: string; revision: string }> | undefined {
  const segment = String.raw`\w(?:[\w.-]{0,94}\w)?`;
  const parts = new RegExp(`^((?:${segment}/)?${segment})(?:@(\\w[\\w./-]{0,254}))?$`).exec(path);
  if (!parts || /\.\.|--|\/\/|\/$/.test(path)) return undefined;
  const [, repo = "", revision = "main"] = parts;
  return { repo, revision };
}
