/** Initial values of parameters. */
import type { Named, RegularizerContext, Tensor } from "../../core/types.ts";

/** Reads the initial values of the parameters that start from saved ones. */
export async function savedValues(
  { parameters, read }: RegularizerContext,
  wanted: (name: string) => boolean,
): Promise<Named<Tensor<Float32Array>>> {
  const values: Record<string, Tensor<Float32Array>> = {};
  for (const [name, { fresh }] of Object.entries(parameters)) {
    if (!fresh && wanted(name)) values[name] = await read(name);
  }
  return values;
}
