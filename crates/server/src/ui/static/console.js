// The console's one script: times in the viewer's zone, keys, the live view. Everything else works without it.
"use strict";

(() => {
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Times: what the server wrote in UTC is shown in the viewer's zone; the exact instant stays in the title.
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const steps = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

  const ago = (at) => {
    const seconds = (at - Date.now()) / 1000;
    for (const [unit, length] of steps) {
      if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
    }
    return Math.abs(seconds) < 45 ? "just now" : relative.format(Math.trunc(seconds / 60), "minute");
  };

  const localise = (within) => {
    for (const time of $$("time[datetime]", within)) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const form = time.dataset.form;
      if (form === "ago") time.textContent = ago(at);
      else if (form === "clock") time.textContent = clock.format(at);
      else if (form === "full") time.textContent = short.format(at);
    }
  };

  // Keys.
  const typing = () => {
    const at = document.activeElement;
    return at && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName));
  };

  let row = -1;
  const rows = () => $$("tr[data-href], [data-open]").filter((one) => one.offsetParent !== null);
  const move = (by) => {
    const all = rows();
    if (!all.length) return;
    all[row]?.classList.remove("at");
    row = Math.min(Math.max(row + by, 0), all.length - 1);
    all[row].classList.add("at");
    all[row].scrollIntoView({ block: "nearest" });
  };
  const open = () => {
    const one = rows()[row];
    if (!one) return false;
    if (one.dataset.href) window.location.href = one.dataset.href;
    else one.click();
    return true;
  };

  const goto = { o: "/", a: "/accounts", u: "/users", g: "/organizations", e: "/events", l: "/live", r: "/refused", s: "/sql" };
  let awaiting = false;

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && typing()) return document.activeElement.blur();
    if (event.ctrlKey || event.metaKey || event.altKey) {
      const form = document.activeElement?.form;
      if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && form?.dataset.submit !== undefined) {
        event.preventDefault();
        form.requestSubmit();
      }
      return;
    }
    if (typing()) return;
    if (awaiting) {
      awaiting = false;
      if (goto[event.key]) {
        event.preventDefault();
        window.location.href = goto[event.key];
      }
      return;
    }
    const act = {
      "/": () => ($("[data-search]") ?? $("#find"))?.focus(),
      j: () => move(1),
      k: () => move(-1),
      "?": () => $("#keys")?.showModal(),
      g: () => { awaiting = true; },
    }[event.key];
    if (act) {
      event.preventDefault();
      act();
    } else if (event.key === "Enter" && document.activeElement === document.body && open()) {
      event.preventDefault();
    }
  });

  document.addEventListener("click", (event) => {
    const target = event.target;
    const copy = target.closest("[data-copy]");
    if (copy) {
      navigator.clipboard?.writeText($(copy.dataset.copy)?.textContent ?? "").then(() => {
        const was = copy.textContent;
        copy.textContent = "Copied";
        setTimeout(() => { copy.textContent = was; }, 1500);
      });
    }
    if (target.closest("[data-close]")) target.closest("dialog")?.close();
    for (const drop of $$("details.drop[open]")) if (!drop.contains(target)) drop.open = false;
    if (target.closest("[data-keys]")) $("#keys")?.showModal();
  });
  document.addEventListener("submit", (event) => {
    const asks = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
    if (asks && !window.confirm(asks)) event.preventDefault();
  });
  // What is done to many goes on by itself, if it was begun in this tab: an address alone, which may come from anywhere, does
  // nothing. Whoever leaves the page stops it, and it can be gone on with later.
  const begun = "muster:steps";
  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented && event.target.dataset.steps !== undefined) sessionStorage.setItem(begun, event.target.action);
  });
  const more = $("form[data-go-on]");
  if (more && sessionStorage.getItem(begun) === more.action) more.requestSubmit();
  else sessionStorage.removeItem(begun);

  // Views and queries that this browser holds from before the server kept them: offered to be kept for everybody.
  for (const place of $$("[data-held]")) {
    const { held, kind, csrf } = place.dataset;
    const name = `muster:${held}`;
    const read = () => {
      try { return JSON.parse(localStorage.getItem(name) ?? "[]").filter((one) => typeof one?.label === "string" && typeof one.value === "string").slice(0, 50); } catch { return []; }
    };
    const show = (left) => {
      if (left.length) localStorage.setItem(name, JSON.stringify(left));
      else localStorage.removeItem(name);
      $("[data-many]", place).textContent = left.length === 1 ? "One more is" : `${left.length} more are`;
      place.hidden = !left.length;
    };
    const keep = async ({ label, value }) => {
      const body = new URLSearchParams({ csrf, kind, name: label, text: value, quiet: "1" });
      const answer = await fetch("/saved", { method: "POST", body });
      return answer.ok;
    };
    $("[data-keep]", place).addEventListener("click", async () => {
      const left = [];
      for (const one of read()) {
        // A name that somebody else took meanwhile is told apart by where this one comes from.
        const kept = await keep(one).catch(() => false) || await keep({ ...one, label: `${one.label} (from a browser)` }).catch(() => false);
        if (!kept) left.push(one);
      }
      show(left);
      if (!left.length) window.location.reload();
    });
    $("[data-drop]", place).addEventListener("click", () => show([]));
    const all = read();
    if (all.length) show(all);
  }
  for (const one of $$("tr[data-href]")) {
    one.addEventListener("click", (event) => {
      if (event.target.closest("a, button, input, label, summary") || window.getSelection()?.toString()) return;
      window.location.href = one.dataset.href;
    });
  }

  // The live view: rows as they arrive, the newest first.
  const live = $("#live");
  if (live) {
    const most = Number(live.dataset.rows ?? 200);
    const body = $("tbody", live);
    const says = $("#live-state");
    const dot = $("#live-dot");
    const pause = $("#live-pause");
    const missed = $("#live-missed");
    const filters = { type: $("#live-type"), outcome: $("#live-outcome"), text: $("#live-text"), key: $("#live-key") };
    let paused = false;
    let held = [];
    let lost = 0;

    const matches = (one) => {
      const is = (filter, value) => !filter?.value || filter.value === value;
      const words = filters.text?.value.trim().toLowerCase() ?? "";
      return is(filters.type, one.type) && is(filters.outcome, one.outcome) && is(filters.key, one.key)
        && (!words || `${one.what} ${one.ids}`.toLowerCase().includes(words));
    };
    const cell = (text, name) => {
      const made = document.createElement("td");
      if (name) made.className = name;
      made.textContent = text;
      return made;
    };
    const tag = (outcome) => {
      const made = document.createElement("td");
      const mark = document.createElement("span");
      mark.className = `tag ${{ stored: "good", duplicate: "", conflict: "warn", withheld: "warn", refused: "bad" }[outcome] ?? ""}`;
      mark.textContent = outcome;
      made.append(mark);
      return made;
    };
    const show = (one) => {
      const made = document.createElement("tr");
      made.className = "live-row";
      made.dataset.open = "";
      made.tabIndex = 0;
      made.one = one;
      const at = document.createElement("td");
      const time = document.createElement("time");
      time.dateTime = one.at;
      time.title = one.at;
      time.dataset.form = "clock";
      at.append(time);
      const what = cell("", "what");
      const name = document.createElement("b");
      const ids = document.createElement("span");
      name.textContent = `${one.what} `;
      ids.textContent = one.ids || one.why;
      ids.className = "quiet";
      what.append(name, ids);
      made.append(at, tag(one.outcome), cell(one.type), what, cell(one.key), cell(`${one.took} ms`, "number"));
      made.hidden = !matches(one);
      localise(made);
      body.prepend(made);
      while (body.rows.length > most) body.lastElementChild.remove();
      if ($("#live-empty")) $("#live-empty").hidden = true;
      if ($("#first-live")) $("#first-live").hidden = false;
      live.hidden = false;
    };
    const detail = (one) => {
      $("#live-json").textContent = one.body;
      $("#live-about").textContent = `${one.outcome} · ${one.type} · sent with ${one.key} · answered in ${one.took} ms${one.why ? ` · ${one.why}` : ""}`;
      const links = one.records.map((record) => {
        const link = document.createElement("a");
        link.href = record.href;
        link.textContent = record.label;
        return link;
      });
      $("#live-records").replaceChildren(...links);
      $("#live-detail").showModal();
    };
    body.addEventListener("click", (event) => {
      const one = event.target.closest("tr")?.one;
      if (one) detail(one);
    });
    body.addEventListener("keydown", (event) => {
      const one = event.target.closest("tr")?.one;
      if (one && event.key === "Enter") detail(one);
    });
    for (const filter of Object.values(filters)) {
      filter?.addEventListener("input", () => {
        for (const made of body.rows) made.hidden = !matches(made.one);
      });
    }
    pause?.addEventListener("click", () => {
      paused = !paused;
      pause.textContent = paused ? "Resume" : "Pause";
      pause.setAttribute("aria-pressed", String(paused));
      dot.classList.toggle("off", paused);
      if (!paused) {
        held.forEach(show);
        held = [];
      }
      says.textContent = paused ? "Paused" : "Listening";
    });

    const source = new EventSource(live.dataset.source);
    source.addEventListener("open", () => { if (!paused) says.textContent = "Listening"; dot.classList.toggle("off", paused); });
    source.addEventListener("error", () => { says.textContent = "Not connected; trying again"; dot.classList.add("off"); });
    source.addEventListener("message", (event) => {
      const one = JSON.parse(event.data);
      if (!paused) return show(one);
      held.push(one);
      if (held.length > most) held.shift();
      says.textContent = `Paused; ${held.length} waiting`;
    });
    source.addEventListener("lost", (event) => {
      lost += Number(event.data);
      missed.textContent = `${lost} messages came faster than they could be shown here`;
      missed.hidden = false;
    });
    window.addEventListener("pagehide", () => source.close());
  }

  localise(document);
  document.documentElement.dataset.ready = "";
})();
