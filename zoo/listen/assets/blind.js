
// Blind listening: real pieces and as many written ones in random order, without names.
class Blind {
  constructor(bar) {
    this.bar = bar;
    this.main = document.querySelector("main");
    this.result = bar.querySelector(".result");
    this.begin = bar.querySelector(".begin");
    this.leave = bar.querySelector(".leave");
    this.begin.addEventListener("click", () => this.start());
    this.leave.addEventListener("click", () => this.stop());
    bar.hidden = false;
  }

  shuffle(items) {
    for (let i = items.length - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }

  start() {
    this.stop();
    const all = (kind) => this.shuffle([...this.main.querySelectorAll(`.${kind} .track`)]);
    const real = all("real"), written = all("samples");
    const count = Math.min(real.length, written.length);
    const chosen = this.shuffle([...real.slice(0, count), ...written.slice(0, count)]);
    this.section = document.createElement("section");
    this.section.className = "shuffled";
    this.section.setAttribute("aria-label", "Pieces in random order");
    this.pieces = chosen.map((track, i) => this.hide(track, i + 1));
    this.main.prepend(this.section);
    this.main.classList.add("guessing");
    this.leave.hidden = false;
    this.begin.textContent = "Shuffle again";
    this.report();
  }

  // Moves a track to the shuffled ones; a comment keeps its place.
  hide(track, number) {
    const title = track.querySelector("h3"), roll = track.querySelector(".roll");
    const piece = {
      track, title, roll, name: title.textContent, label: roll.getAttribute("aria-label"),
      real: Boolean(track.closest(".real")), place: document.createComment(""), right: null,
    };
    track.replaceWith(piece.place);
    title.textContent = `Piece ${number}`;
    roll.setAttribute("aria-label", `Position in piece ${number}`);
    track.classList.add("unknown");
    piece.guess = document.createElement("p");
    piece.guess.className = "guess";
    for (const [text, real] of [["Real", true], ["Written", false]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.setAttribute("aria-label", `Piece ${number} is ${text.toLowerCase()}`);
      button.addEventListener("click", () => this.answer(piece, real));
      piece.guess.append(button);
    }
    track.querySelector(".head").after(piece.guess);
    this.section.append(track);
    return piece;
  }

  answer(piece, real) {
    piece.right = piece.real === real;
    piece.guess.textContent = `${piece.right ? "Right" : "Wrong"}: ${piece.name}`;
    piece.guess.classList.add(piece.right ? "right" : "wrong");
    this.report();
  }

  report() {
    const answered = this.pieces.filter(({ right }) => right !== null);
    const right = answered.filter(({ right }) => right).length;
    this.result.textContent = answered.length
      ? `${right} of ${answered.length} right; ${this.pieces.length - answered.length} to go. Guessing finds half.`
      : `${this.pieces.length} pieces, half of them real. Say of each whether it is real or written by a model.`;
  }

  stop() {
    if (playing) playing.audio.pause();
    for (const { track, title, roll, name, label, place, guess } of this.pieces || []) {
      title.textContent = name;
      roll.setAttribute("aria-label", label);
      track.classList.remove("unknown");
      guess.remove();
      place.replaceWith(track);
    }
    if (this.section) this.section.remove();
    this.pieces = [];
    this.main.classList.remove("guessing");
    this.leave.hidden = true;
    this.begin.textContent = "Listen blind";
    this.result.textContent = "";
  }
}

for (const bar of document.querySelectorAll(".blind")) new Blind(bar);
