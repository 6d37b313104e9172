# === the time magic
xs = [1, 2]
# %% jobq
%time y = sum(xs)
y

# === the time magic over a cell
xs = [1, 2]
# %% jobq
%%time
y = sum(xs)
z = y + 1

# === a shell line and its text
# %% jobq
out = !echo hello
out[0]

# === a shell line with a name of the notebook
who = "world"
# %% jobq
out = !echo {who} $who
list(out)

# === a shell line that prints
# %% jobq
!echo printed

# === capture
# differs: said
# %% jobq
%%capture said
print("inside")

# === another one is refused
# refused: magic-cannot-travel: %who_ls
x = 1
# %% jobq
%who_ls

