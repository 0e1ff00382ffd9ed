/** Keys of the parameters of modules that PEFT has wrapped. */

/** Prefix of the model's names in a file's keys. */
export const PREFIX = "base_model.model.";

/** Inserted between a module and its parameter in a key if PEFT has wrapped the module. */
export const wrappedLayer = ".base_layer.";

/**
 * Returns a function from a model's parameter names to a file's keys. Weight and bias of a wrapped module are inside
 * its wrapper; other parameters belong to the wrapper itself.
 */
export function wrappedKey(isWrapped: (path: string) => boolean): (name: string) => string {
  return (name) => {
    const dot = name.lastIndexOf(".");
    const [path, part] = [name.slice(0, dot), name.slice(dot + 1)];
    const inside = (part === "weight" || part === "bias") && isWrapped(path);
    return PREFIX + (inside ? path + wrappedLayer + part : name);
  };
}
