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
      return { element: rect, start, end: start + length, on: false };
    });
    this.score = track.querySelector(".score");
    this.chords = this.score ? this.read(this.score) : [];
    this.audio.removeAttribute("controls");
    this.audio.addEventListener("play", () => this.changed());
    this.audio.addEventListener("pause", () => this.changed());
    this.audio.addEventListener("ended", () => this.seek(0));
    track.querySelector(".play").addEventListener("click", () => this.toggle());
    track.addEventListener("keydown", (event) => this.key(event));
    this.roll.addEventListener("pointerdown", (event) => this.point(event));
    this.roll.addEventListener("pointermove", (event) => event.buttons & 1 && this.point(event));
  }

  // The chords of a score, with the times that it states.
  read(score) {
    score.addEventListener("click", (event) => {
      const chord = this.chords.find(({ element }) => element.contains(event.target));
      if (chord) this.seek(chord.start);
    });
    const chords = (score.dataset.times || "").split(" ").map((pair, i) => {
      const [start, end] = pair.split(",").map((x) => Number(x) / 1000);
      const element = document.getElementById(`${score.dataset.prefix}${i + 1}`);
      return { element, start, end, on: false };
    });
    return chords.filter(({ element }) => element);
  }

  // Marks what sounds now; returns what began to sound.
  light(notes, time) {
    const begun = [];
    for (const note of notes) {
      const on = !this.audio.paused && note.start <= time && time < note.end;
      if (on === note.on) continue;
      note.on = on;
      note.element.classList.toggle("on", on);
      if (on) begun.push(note.element);
    }
    return begun;
  }

  // Scrolls the score to what sounds.
  reveal(chord) {
    const box = this.score.getBoundingClientRect(), place = chord.getBoundingClientRect();
    if (place.top < box.top || place.bottom > box.bottom) {
      this.score.scrollTop += place.top - box.top - 0.2 * box.height;
    }
    if (place.left < box.left || place.right > box.right) {
      this.score.scrollLeft += place.left - box.left - 0.2 * box.width;
    }
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
    this.light(this.notes, time);
    const begun = this.light(this.chords, time);
    if (begun.length) this.reveal(begun[0]);
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
