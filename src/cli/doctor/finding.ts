/** Findings of the doctor. */
export interface Finding {
  readonly state: "ok" | "none" | "problem"
  readonly text: string
}

export const ok = (text: string): Finding => ({ state: "ok", text })

/** Absent, and not needed by everybody. */
export const none = (text: string): Finding => ({ state: "none", text })

export const problem = (text: string): Finding => ({ state: "problem", text })
