/** Makes the package for Effect 4, beside dist/ of `npm run build`. */
import { run } from "../run.ts"
import type { Step } from "./step.ts"

export const effect4: Step = ({ isChecked }) => (isChecked ? run("node", "scripts/effect4/main.ts") : 0)
