"""Commands of `holdover lab` besides the league: devices, profiles; and the options they share."""
