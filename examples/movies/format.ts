/** Figures as people read them. */

export const count = (value: number): string => Math.round(value).toLocaleString("en-US")

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
