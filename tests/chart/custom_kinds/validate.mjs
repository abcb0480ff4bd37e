// Reads objects of custom kinds from standard input (a JSON list), and writes what is wrong with each (a list
// of lists of sentences). A validator takes keys that its schema does not have, where a cluster drops them or
// refuses the object; so each object is handed over in a shape that remembers what was looked at. A key that no
// schema ever asked for is one that nobody reads.
import { pathToFileURL } from "node:url";

const PACKAGES = {
  "argoproj.io": "@kubernetes-models/argo-cd",
  "keda.sh": "@kubernetes-models/keda",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
};
const FREE = [
  // Any JSON at all is allowed below these.
  /^\/spec\/generators\/\d+\/list\/elements\/\d+(\/|$)/,
  /^\/metadata\/(labels|annotations)\//,
  // An AppProject's type has it; whoever made the schemas took a key of that name for a schema's own.
  /^\/spec\/(roles\/\d+\/)?description$/,
];

async function kindOf({ apiVersion, kind }) {
  const [group] = apiVersion.split("/");
  const file = `${process.cwd()}/node_modules/${PACKAGES[group]}/${apiVersion}/${kind}.js`;
  const module = await import(pathToFileURL(file));
  return module[kind];
}

function watched(value, path, seen) {
  if (value === null || typeof value !== "object") return value;
  return new Proxy(value, {
    get(target, key) {
      if (typeof key === "string" && Object.hasOwn(target, key)) {
        seen.add(`${path}/${key}`);
        return watched(target[key], `${path}/${key}`, seen);
      }
      return target[key];
    },
  });
}

function* paths(value, path) {
  if (value === null || typeof value !== "object") return;
  for (const [key, inner] of Object.entries(value)) {
    yield `${path}/${key}`;
    yield* paths(inner, `${path}/${key}`);
  }
}

async function faults(object) {
  const seen = new Set();
  const found = [];
  try {
    (await kindOf(object)).prototype.validate.call(watched(object, "", seen));
  } catch (error) {
    found.push(String(error.message ?? error));
  }
  for (const path of paths(object, "")) {
    if (!seen.has(path) && !FREE.some((free) => free.test(path))) found.push(`${path}: no such key`);
  }
  return found;
}

let text = "";
for await (const chunk of process.stdin) text += chunk;
const answers = [];
for (const object of JSON.parse(text)) answers.push(await faults(object));
console.log(JSON.stringify(answers));
