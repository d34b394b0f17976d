import { service, t } from "steward";

export default service("/core/my-service", { docs: "A counter that comes to rest by itself, one step an hour." })
  .state({ count: t.integer().min(0).default(0), step: t.integer().min(1).default(1) })
  .patch({ by: t.integer().min(1).optional() }, (counter, { by }) => {
    counter.count += by ?? counter.step;
  })
  .every("1h", (counter) => {
    counter.count = Math.max(0, counter.count - counter.step);
  });
