/**
 * The first import of every public module. Effect 3 lacks `effect/Result`, and Node links modules before any code
 * runs: all that it prints then is the path of the missing module and of the one that imports it, which is this file,
 * whose name is the command to run.
 */
import "effect/Result"
import "../install/node.ts"
