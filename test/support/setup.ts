import fc from "fast-check"

// One seed for every property of a run, printed so that a failure can be replayed: SEED=123 npm test.
const seed = Number(process.env["SEED"] ?? Date.now() % 2 ** 31)
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed })
console.log(`property seed ${seed}`)
