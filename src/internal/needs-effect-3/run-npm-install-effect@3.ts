/**
 * The first import of every public module. Effect 4 lacks `effect/FiberId`, and Node links modules before any code
 * runs: all that it prints then is the path of the missing module and of the one that imports it, which is this file,
 * whose name is the command to run.
 */
import "effect/FiberId"
import "../install/node.ts"
