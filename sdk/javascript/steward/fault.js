// Why a handler refuses. The host turns a fault into a problem document, and nothing has happened.

/** A refusal: throw it. Anything else that is thrown ends the instance, and is told with its file and line. */
export class Fault extends Error {
  constructor(status, code, message, pointer = "") {
    super(message);
    this.name = "Fault";
    this.status = status;
    this.code = code;
    this.pointer = pointer;
  }
}

/** Refuses with a status, a code and a message. */
export function refused(status, code, message) {
  return new Fault(status, code, message);
}

/** Refuses with 400: the field that `pointer` names has a value that cannot be. A leading slash may be left out. */
export function invalid(pointer, message) {
  return new Fault(400, "validation", message, pointer === "" || pointer.startsWith("/") ? pointer : `/${pointer}`);
}

/** Refuses with 409: the state does not allow it. */
export function conflict(message) {
  return new Fault(409, "conflict", message);
}

/** Refuses with 403: whoever asks may not. */
export function forbidden(message) {
  return new Fault(403, "forbidden", message);
}

/** Refuses with 404: the part that was asked for is not there. */
export function notFound(message) {
  return new Fault(404, "not-found", message);
}
