# Adds to the cases of kmeans.py what R's kmeans finds with 50 starts, by the method
# of Hartigan and Wong, in units of the standard deviation of all rows.
input <- file("stdin")
cases <- readLines(input)
close(input)
set.seed(11)
cat(cases[1], ";r\n", sep = "")
for (line in cases[-1]) {
	field <- strsplit(line, ";")[[1]]
	rows <- strsplit(strsplit(field[3], " ")[[1]], ",")
	x <- matrix(as.numeric(unlist(rows)), nrow = length(rows), byrow = TRUE)
	k <- as.integer(field[2])
	x <- apply(x, 2, function(v) if (all(v == v[1])) 0 * v else (v - mean(v)) / sqrt(mean((v - mean(v))^2)))
	distinct <- nrow(unique(x))
	# R has no answer for as many clusters as rows, and less
	best <- if (distinct <= k) 0 else suppressWarnings(kmeans(x, k, iter.max = 100, nstart = 50)$tot.withinss)
	cat(line, ";", sprintf("%.15g", best), "\n", sep = "")
}
