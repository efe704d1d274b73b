// llama.cpp as a side of the engine benchmark, by the package node-llama-cpp.
// SideProcess.java says what is asked and answered.
// usage: node llama-cpp.mjs NODE_MODULES_URL MODEL.gguf THREADS SCRATCH_DIRECTORY
import {createInterface} from "node:readline";
import {rm} from "node:fs/promises";
import {freemem} from "node:os";
import {join} from "node:path";

const [, , modules, modelPath, threadsWord, scratch] = process.argv;
const threads = Number(threadsWord);
const greedy = {temperature: 0, yieldEogToken: true};
const say = (line) => process.stdout.write(line + "\n");

const {getLlama, LlamaLogLevel} = await import(new URL("node-llama-cpp/dist/index.js", modules + "/"));
// maxThreads 0: a context gets as many threads as it asks for.
const llama = await getLlama({
  gpu: false, build: "never", progressLogs: false, logLevel: LlamaLogLevel.error, maxThreads: 0
});
// Without mapping: it repacks most weights for the CPU either way, and a mapped file stays beside
// them in memory, at the same speed.
const model = await llama.loadModel({modelPath, useMmap: false});
const vocabulary = model.fileInfo.metadata?.tokenizer?.ggml?.tokens?.length ?? 32000;

// An F16 each for keys and values; what it cannot hold, it would ask the system for all the same.
const {[model.fileInfo.metadata.general.architecture]: shape} = model.fileInfo.metadata;
const heads = Number(shape.attention.head_count);
const kvBytes = 2 * 2 * Number(shape.block_count) * Number(shape.attention.head_count_kv ?? heads)
  * Number(shape.attention.key_length ?? shape.embedding_length / heads);

const token = (i) => (i * 7919 + 300) % vocabulary;
const prompt = (n) => Array.from({length: n}, (_, i) => token(i));

async function inContext(sequences, contextSize, run) {
  const needed = sequences * contextSize * kvBytes;
  if (needed > freemem()) {
    throw new Error(`KV takes ${Math.ceil(needed / 2 ** 20)} MB, but ${Math.floor(freemem() / 2 ** 20)} MB of memory are available`);
  }
  const context = await model.createContext({
    sequences, contextSize, batchSize: 512, threads: {ideal: threads, min: threads},
    flashAttention: true, ignoreMemorySafetyChecks: true
  });
  try {
    return await run(Array.from({length: sequences}, () => context.getSequence()));
  } finally {
    await context.dispose();
  }
}

// To the first token after the prompt: evaluating alone would leave the logits out.
const prefill = (n) => inContext(1, n + 16, async ([sequence]) => {
  const start = performance.now();
  for await (const _ of sequence.evaluate(prompt(n), greedy)) break;
  return performance.now() - start;
});

// The tokens of a context are computed once for each number of sequences, whose states do not fit
// one another, and kept in a file, from which each sequence has its own copy.
let kept = "";
async function stateOf(n, sequences) {
  const file = join(scratch, `${sequences}-contexts-of-${n}.state`);
  if (file !== kept) {
    if (kept !== "") await rm(kept, {force: true});
    kept = "";
    await inContext(sequences, n + 16, async ([sequence]) => {
      await sequence.evaluateWithoutGeneratingNewTokens(prompt(n));
      await sequence.saveStateToFile(file);
    });
    kept = file;
  }
  return file;
}

async function decode(batch, n, steps) {
  const state = await stateOf(n, batch);
  return inContext(batch, n + steps + 16, async (sequences) => {
    for (const sequence of sequences) await sequence.loadStateFromFile(state, {acceptRisk: true});
    const streams = sequences.map((sequence, i) => sequence.evaluate([token(i)], greedy));
    // All sequences ask before any is answered, so that a step is one batch.
    const step = () => Promise.all(streams.map((stream) => stream.next()));
    await step();
    const start = performance.now();
    for (let i = 0; i < steps; i++) await step();
    return performance.now() - start;
  });
}

say("loaded");
await prefill(8);
await decode(1, 8, 1);
say("ready KV F16, flash attention");

for await (const line of createInterface({input: process.stdin})) {
  try {
    const [what, ...numbers] = line.trim().split(/ +/);
    const [a, b, c] = numbers.map(Number);
    if (what === "prefill") say(`ok ${await prefill(a)}`);
    else if (what === "decode") say(`ok ${await decode(a, b, c)}`);
    else say(`error there is no question '${line}'`);
  } catch (error) {
    say(`error ${String(error?.message ?? error).replace(/\s+/g, " ")}`);
  }
}
process.exit(0);
