// The SDK as scripts import it: `import { service, t } from "steward"`.

export { reply, unchanged } from "./context.js";
export { Fault, conflict, forbidden, invalid, notFound, refused } from "./fault.js";
export { t } from "./schema.js";
export { service } from "./service.js";
