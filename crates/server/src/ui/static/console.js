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
      else if (form === "precise") time.textContent = precise.format(at);
    }
  };

  // A timeline comes with the days of UTC. Whoever reads its clocks in a zone of their own sees the days of that zone.
  const dayNames = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const dayOf = (moment) => dayNames.format(new Date($("time[data-form=clock]", moment).dateTime));
  const precise = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  for (const list of $$("[data-days]")) {
    const days = [];
    for (const moment of $$(":scope > li > ol > li", list)) {
      const label = dayOf(moment);
      if (days.at(-1)?.label !== label) {
        const [day, date, moments] = ["li", "p", "ol"].map((name) => document.createElement(name));
        date.className = "date";
        date.textContent = label;
        day.append(date, moments);
        days.push({ label, day, moments });
      }
      days.at(-1).moments.append(moment);
      // Repeats were folded within a day of UTC, which may be two days here.
      for (const repeat of $$("ol > li", moment)) {
        if (dayOf(repeat) !== label) $("time", repeat).dataset.form = "precise";
      }
    }
    list.replaceChildren(...days.map(({ day }) => day));
    const says = $("[data-zone]", list.parentElement);
    if (says) says.textContent = says.dataset.zone;
  }

  // Keys.
  const typing = () => {
    const at = document.activeElement;
    return at && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName));
  };
  // Whether Enter belongs to what has the focus.
  const acts = () => Boolean(document.activeElement?.closest("a[href], button, input, textarea, select, summary, [contenteditable]"));

  let at;
  const rows = () => $$("tr[data-href], [data-open]").filter((one) => one.offsetParent !== null);
  const move = (by) => {
    const all = rows();
    if (!all.length) return;
    at?.classList.remove("at");
    at = all[Math.min(Math.max(all.indexOf(at) + by, 0), all.length - 1)];
    at.classList.add("at");
    at.scrollIntoView({ block: "nearest" });
  };
  const open = () => {
    if (!at || !rows().includes(at)) return false;
    if (at.dataset.href) window.location.href = at.dataset.href;
    else at.click();
    return true;
  };

  // Keys of one letter can be switched off, for those who meet them by accident or by speaking.
  const off = "muster:keys-off";
  const single = $("#keys-single");
  if (single) {
    single.checked = localStorage.getItem(off) === null;
    single.addEventListener("change", () => {
      if (single.checked) localStorage.removeItem(off);
      else localStorage.setItem(off, "1");
    });
  }
  for (const one of $$("[data-keys]")) one.hidden = false;

  const goto = { o: "/", a: "/accounts", u: "/users", g: "/organizations", e: "/events", l: "/live", r: "/refused", s: "/sql" };
  const AWAITED_MILLIS = 1500;
  let awaiting = -Infinity;

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const drop = $("details.drop[open]");
      if (drop && !$("dialog[open]")) {
        const within = drop.contains(document.activeElement);
        drop.open = false;
        if (within) $("summary", drop).focus();
      } else if (typing()) document.activeElement.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) {
      const form = document.activeElement?.form;
      if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && form?.dataset.submit !== undefined) {
        event.preventDefault();
        form.requestSubmit();
      }
      return;
    }
    if (typing() || $("dialog[open]") || /^(Shift|CapsLock|Control|Alt|Meta)$/.test(event.key)) return;
    const leads = performance.now() - awaiting < AWAITED_MILLIS && goto[event.key];
    awaiting = -Infinity;
    if (leads && single?.checked) {
      event.preventDefault();
      window.location.href = leads;
      return;
    }
    const act = single?.checked && {
      "/": () => ($("[data-search]") ?? $("#find"))?.focus(),
      j: () => move(1),
      k: () => move(-1),
      "?": () => $("#keys")?.showModal(),
      g: () => { awaiting = performance.now(); },
    }[event.key];
    if (act) {
      event.preventDefault();
      act();
    } else if (event.key === "Enter" && !acts() && open()) {
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
  // Another theme needs no other page: what stands on this one, a token that is shown once or an answer, stays.
  const looks = [["system", "auto"], ["light", "light"], ["dark", "dark"]];
  const choice = $("form[data-theme-choice]");
  choice?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const chosen = choice.elements.theme.value;
    const body = new URLSearchParams(new FormData(choice));
    body.set("quiet", "1");
    const answer = await fetch(choice.action, { method: "POST", body }).catch(() => null);
    // Whatever else than that it is kept is told by the page that comes of it.
    if ((await answer?.text().catch(() => "")) !== "kept") return choice.submit();
    document.documentElement.dataset.theme = chosen;
    const now = looks.findIndex(([name]) => name === chosen);
    choice.elements.theme.value = looks[(now + 1) % looks.length][0];
    $("button", choice).textContent = `Theme: ${looks[now][1]}`;
  });

  // On a phone the navigation is a line that is pushed aside: where this page stands in it is what is seen.
  const line = $(".nav");
  const current = line && $("[aria-current]", line);
  if (current) line.scrollLeft += current.getBoundingClientRect().left - line.getBoundingClientRect().left - (line.clientWidth - current.offsetWidth) / 2;

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
    const SIGNED_OUT = "Signed out";
    const most = Number(live.dataset.rows ?? 200);
    const body = $("tbody", live);
    const says = $("#live-state");
    const dot = $("#live-dot");
    const pause = $("#live-pause");
    const missed = $("#live-missed");
    const filters = { type: $("#live-type"), outcome: $("#live-outcome"), text: $("#live-text"), key: $("#live-key") };
    // What was told, the newest first: so many that are looked for, and so many others, for when something else is looked for.
    let seen = [];
    let paused = false;
    let held = [];
    let lost = 0;
    let dropped = 0;
    let connection = "Connecting";

    const types = new Set([...(filters.type?.options ?? [])].map((option) => option.value));
    const matches = (one) => {
      const is = (filter, value) => !filter?.value || filter.value === value;
      const words = filters.text?.value.trim().toLowerCase() ?? "";
      return is(filters.type, types.has(one.type) ? one.type : "other") && is(filters.outcome, one.outcome) && is(filters.key, one.key)
        && (!words || `${one.what} ${one.ids} ${one.outcome === "refused" ? one.body : ""}`.toLowerCase().includes(words));
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
    const drawn = (one) => {
      const made = document.createElement("tr");
      made.className = "live-row";
      made.dataset.open = "";
      made.one = one;
      const at = document.createElement("td");
      const time = document.createElement("time");
      time.dateTime = one.at;
      time.title = one.at;
      time.dataset.form = "clock";
      at.append(time);
      const what = cell("", "what");
      const opens = document.createElement("button");
      const ids = document.createElement("span");
      opens.type = "button";
      opens.className = "opens";
      opens.textContent = one.what || one.type;
      ids.textContent = ` ${one.ids || one.why}`;
      ids.className = "quiet";
      what.append(opens, ids);
      made.append(at, tag(one.outcome), cell(one.type), what, cell(one.key), cell(`${one.took} ms`, "number"));
      localise(made);
      return made;
    };
    // The oldest go, of those that are looked for and of the others each by themselves.
    const trim = () => {
      const left = new Map([[true, most], [false, most]]);
      seen = seen.filter((one) => {
        const room = left.get(one.fits);
        left.set(one.fits, room - 1);
        if (room <= 0) one.row?.remove();
        return room > 0;
      });
    };
    const tell = () => {
      const waiting = `Paused; ${held.length} waiting${dropped ? `, ${dropped} before them not kept` : ""}`;
      const isOn = connection === "Listening";
      if (paused) says.textContent = `${held.length ? waiting : "Paused"}${isOn ? "" : `. ${connection}`}`;
      else says.textContent = connection;
      if (connection === SIGNED_OUT) {
        const link = document.createElement("a");
        link.href = `/signin?next=${encodeURIComponent(window.location.pathname)}`;
        link.textContent = "Sign in again";
        says.append(". ", link);
      }
      dot.classList.toggle("off", paused || !isOn);
      const some = seen.some((one) => one.fits);
      live.hidden = !some;
      if ($("#live-empty")) $("#live-empty").hidden = seen.length > 0;
      if ($("#live-none")) $("#live-none").hidden = some || !seen.length;
    };
    const show = (one) => {
      one.fits = matches(one);
      seen.unshift(one);
      if (one.fits) {
        one.row = drawn(one);
        body.prepend(one.row);
      }
      trim();
      if ($("#first-live")) $("#first-live").hidden = false;
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
    for (const filter of Object.values(filters)) {
      filter?.addEventListener("input", () => {
        for (const one of seen) one.fits = matches(one);
        trim();
        body.replaceChildren(...seen.filter((one) => one.fits).map((one) => (one.row ??= drawn(one))));
        tell();
      });
    }
    const counted = () => {
      const parts = [
        lost && `${lost} messages came faster than they could be shown here`,
        !paused && dropped && `${dropped} messages came while this was paused and were not kept`,
      ].filter(Boolean);
      missed.textContent = parts.join("; ");
      missed.hidden = !parts.length;
    };
    pause?.addEventListener("click", () => {
      paused = !paused;
      pause.textContent = paused ? "Resume" : "Pause";
      pause.setAttribute("aria-pressed", String(paused));
      if (paused) dropped = 0;
      else held.splice(0).forEach(show);
      counted();
      tell();
    });
    const take = (one) => {
      if (!paused) {
        show(one);
        return tell();
      }
      held.push(one);
      if (held.length > most) {
        // Rather one that is not looked for.
        held.splice(Math.max(held.findIndex((other) => !matches(other)), 0), 1);
        dropped += 1;
      }
      tell();
    };

    // A browser opens a broken stream again by itself, but not one that was answered with an error: by a server that has too
    // many watchers or is away behind its proxy, or because whoever watches is signed out.
    const [SOON_MILLIS, LATE_MILLIS] = [2000, 30_000];
    let wait = SOON_MILLIS;
    let source;
    let again;
    const become = (what) => {
      connection = what;
      tell();
    };
    const retry = async () => {
      // Whoever is signed out is led away from the page.
      const answer = await fetch("/live").catch(() => null);
      await answer?.text().catch(() => "");
      if (answer?.redirected) become(SIGNED_OUT);
      else connect();
    };
    const connect = () => {
      source = new EventSource(live.dataset.source);
      source.addEventListener("open", () => {
        wait = SOON_MILLIS;
        become("Listening");
      });
      source.addEventListener("error", () => {
        become("Not connected; trying again");
        if (source.readyState !== EventSource.CLOSED) return;
        again = setTimeout(retry, wait);
        wait = Math.min(wait * 2, LATE_MILLIS);
      });
      source.addEventListener("message", (event) => take(JSON.parse(event.data)));
      source.addEventListener("lost", (event) => {
        lost += Number(event.data);
        counted();
      });
    };
    connect();
    window.addEventListener("pagehide", () => {
      clearTimeout(again);
      source.close();
    });
    window.addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  }

  localise(document);
  document.documentElement.dataset.ready = "";
})();
