/** Tells the layers that `Provider.make` derives from a `build` from those that a provider was given in their place. */
type Build = object

const layers = new WeakMap<Build, unknown>()

export const derive = <L>(build: Build, layer: L): L => {
  layers.set(build, layer)
  return layer
}

/** True of `{ ...provider, layer }`, unless it has a `build` of its own as well. */
export const isReplaced = (provider: { readonly build: Build; readonly layer: unknown }): boolean =>
  layers.has(provider.build) && layers.get(provider.build) !== provider.layer
