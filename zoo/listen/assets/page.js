"use strict";

let playing = null; // the player that is playing

const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

class Player {
  constructor(track) {
    this.track = track;
    this.seconds = Number(track.dataset.seconds);
    this.audio = track.querySelector("audio");
    this.roll = track.querySelector(".roll");
    this.box = track.querySelector(".notes");
    this.cursor = track.querySelector(".cursor");
    this.now = track.querySelector(".now");
    this.verb = track.querySelector(".play .hidden");
    this.notes = [...track.querySelectorAll("rect")].map((rect) => {
      const start = (parseFloat(rect.getAttribute("x")) / 100) * this.seconds;
      const length = (parseFloat(rect.getAttribute("width")) / 100) * this.seconds;
      return { rect, start, end: start + length };
    });
    this.audio.removeAttribute("controls");
    this.audio.addEventListener("play", () => this.changed());
    this.audio.addEventListener("pause", () => this.changed());
    this.audio.addEventListener("ended", () => this.seek(0));
    track.querySelector(".play").addEventListener("click", () => this.toggle());
    track.addEventListener("keydown", (event) => this.key(event));
    this.roll.addEventListener("pointerdown", (event) => this.point(event));
    this.roll.addEventListener("pointermove", (event) => event.buttons & 1 && this.point(event));
  }

  // Some browsers cannot seek in a data: URL, so the audio is copied to a blob on first use.
  load() {
    if (this.audio.src.startsWith("blob:")) return;
    const [head, body] = this.audio.src.split(",");
    const bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
    const type = head.slice("data:".length, head.indexOf(";"));
    this.audio.src = URL.createObjectURL(new Blob([bytes], { type }));
  }

  toggle() {
    this.load();
    if (!this.audio.paused) return this.audio.pause();
    if (playing && playing !== this) playing.audio.pause();
    playing = this;
    this.audio.play().catch(() => this.changed());
  }

  seek(time) {
    this.load();
    this.audio.currentTime = Math.min(Math.max(time, 0), this.seconds);
    this.update();
  }

  changed() {
    const on = !this.audio.paused;
    this.track.classList.toggle("playing", on);
    this.verb.textContent = on ? "Pause" : "Play";
    this.update();
    if (on) this.follow();
  }

  follow() {
    requestAnimationFrame(() => {
      if (this.audio.paused) return;
      this.update();
      this.follow();
    });
  }

  update() {
    const time = Math.min(this.audio.currentTime, this.seconds);
    this.track.classList.toggle("begun", time > 0);
    this.cursor.style.transform = `translateX(${(100 * time) / this.seconds}%)`;
    for (const { rect, start, end } of this.notes) {
      rect.classList.toggle("on", !this.audio.paused && start <= time && time < end);
    }
    const text = clock(time);
    if (text === this.now.textContent) return;
    this.now.textContent = text;
    this.roll.setAttribute("aria-valuenow", time.toFixed(1));
    this.roll.setAttribute("aria-valuetext", `${text} of ${clock(this.seconds)}`);
  }

  point(event) {
    const box = this.box.getBoundingClientRect();
    this.seek(((event.clientX - box.left) / box.width) * this.seconds);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 5 : 1;
    const time = this.audio.currentTime;
    const targets = {
      ArrowLeft: time - step, ArrowDown: time - step, ArrowRight: time + step, ArrowUp: time + step,
      PageDown: time - 10, PageUp: time + 10, Home: 0, End: this.seconds,
    };
    if (event.key in targets) this.seek(targets[event.key]);
    else if ((event.key === " " || event.key === "Enter") && event.target === this.roll) this.toggle();
    else return;
    event.preventDefault();
  }
}

for (const track of document.querySelectorAll(".track")) new Player(track);
