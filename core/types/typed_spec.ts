/**
 * Types that check a spec's options against the plugins of a catalog, so that errors show at the wrong option.
 */
import type { Kind } from "./plugin.ts";
import type { Catalog, RunSpec } from "./plugins.ts";

/** The kinds that a spec's keys hold. */
interface PartKinds {
  model: "model";
  tokenizer: "tokenizer";
  task: "task";
  collator: "collator";
  head: "head";
  loss: "loss";
  adapter: "adapter";
  optimizer: "optimizer";
  schedule: "schedule";
  regularizers: "regularizer";
  accelerators: "accelerator";
  metrics: "metric";
  callbacks: "callback";
  loggers: "logger";
  exporters: "exporter";
  search: "search";
}

/** The options of a factory, or undefined if they may be left out. */
type InputOf<F> = F extends (...options: infer In) => unknown ? In[0] : unknown;

type KeysOf<T> = T extends unknown ? keyof T : never;

/** A type without values, named so that compiler errors are readable. */
interface NoSuchOption<Options> {
  readonly "no such option": Options;
}

/** The same for a plugin's name. */
interface NoSuchPlugin<Names> {
  readonly "no such plugin": Names;
}

/** The given options, with unknown ones refused. */
type OptionsOf<In, Given> =
  & In
  & { readonly [Key in keyof Given]: Key extends KeysOf<In> ? unknown : NoSuchOption<KeysOf<In>> };

type WithOf<In, Given> = undefined extends In ? { readonly with?: OptionsOf<NonNullable<In>, Given> }
  : { readonly with: OptionsOf<In, Given> };

/** The names of a kind's plugins; `string` if the catalog's type does not have them. */
type NamesOf<K extends Kind, C extends Catalog> = Extract<keyof NonNullable<C[K]>, string>;

/** A plugin's name, if it is one of the known ones. */
type NameOf<Name, Names> = string extends Name ? Name : Name extends Names ? Name : NoSuchPlugin<Names>;

/** A reference to a plugin of a kind; anything else as it is. */
type PartOf<Given, K extends Kind, C extends Catalog> = Given extends string ? NameOf<Given, NamesOf<K, C>>
  : Given extends { readonly use: infer Name }
    ? Name extends NamesOf<K, C> ? unknown extends InputOf<NonNullable<C[K]>[Name]> ? Given
      :
        & { readonly use: Name }
        & WithOf<
          InputOf<NonNullable<C[K]>[Name]>,
          Given extends { readonly with: infer Options } ? Options : unknown
        >
    : { readonly use: NameOf<Name, NamesOf<K, C>> }
  : Given extends readonly unknown[] ? { readonly [I in keyof Given]: PartOf<Given[I], K, C> }
  : Given;

/** A data set reference with its transforms. */
type DatasetOf<Given, C extends Catalog> =
  & PartOf<Given, "data", C>
  & (Given extends { readonly transforms: infer Several } ? { readonly transforms: PartOf<Several, "transform", C> }
    : unknown);

/** A spec whose parts have the options that the catalog's plugins of these names take. */
export type TypedSpec<S extends RunSpec, C extends Catalog> = {
  readonly [Key in keyof S]: Key extends keyof PartKinds ? PartOf<S[Key], PartKinds[Key], C>
    : Key extends "data" ? { readonly [Split in keyof S[Key]]: DatasetOf<S[Key][Split], C> }
    : S[Key];
};
